//! What both ends of all spectra cost against the fan-in d and the number of neurons M.

use std::time::Instant;

use burgeon_core::eigen::{CapturedOperator, Method, SpectrumSolver};
use burgeon_core::{Curvature, CurvatureBlock, SiteInput};
use burn::tensor::{DType, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{decode, encode};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::log_log_slope;
use crate::study::{Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct SpectrumCost;

const ROWS: usize = 2048;

/// What stays where the other varies.
const FAN_IN: usize = 512;
const NEURONS: usize = 64;

const FAN_INS: [usize; 6] = [64, 128, 256, 512, 1024, 2048];
const ALL_NEURONS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// Dense matrices are written out as far as they and their decomposition take seconds.
const DENSE_NUMBERS: usize = 64 * 512 * 512;

const TOLERANCE: f64 = 1e-3;
const REPEATS: usize = 5;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cost {
    fan_in: usize,
    neurons: usize,
    iterations: usize,
    /// Of the whole solution.
    krylov: f64,
    dense: Option<f64>,
}

impl Cost {
    /// Of one iteration.
    fn iteration(&self) -> f64 {
        self.krylov / self.iterations as f64
    }
}

/// The sizes of a unit `d-512` or `m-64`.
fn sizes(unit: &str) -> Result<[usize; 2], ExperimentError> {
    let (axis, size) = super::method_and_seed(unit)?;
    let size = size as usize;
    Ok(if axis == "d" {
        [size, NEURONS]
    } else {
        [FAN_IN, size]
    })
}

fn curvature(
    [fan_in, neurons]: [usize; 2],
    context: &UnitContext,
) -> Result<Curvature, ExperimentError> {
    let device = context.backend.device();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut normal = |columns: usize| {
        let values: Vec<f32> = (0..ROWS * columns)
            .map(|_| StandardNormal.sample(&mut rng))
            .collect();
        let data = TensorData::new(values, [ROWS, columns]);
        Tensor::<2>::from_data(data, (&device, DType::F32))
    };
    let block = CurvatureBlock {
        input: SiteInput::Rows(normal(fan_in)),
        bias: false,
        weights: normal(neurons),
    };
    Ok(Curvature::new("site", vec![block])?)
}

impl Study for SpectrumCost {
    fn name(&self) -> &str {
        "spectrum-cost"
    }

    fn description(&self) -> &str {
        "cost of all spectra against fan-in and number of neurons, synthetic rows: matrix-free \
         against dense"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn measures_time(&self) -> bool {
        true
    }

    fn units(&self, _settings: &StudySettings) -> Result<Units, ExperimentError> {
        let fan_ins = FAN_INS.iter().map(|d| ("d", *d));
        let neurons = ALL_NEURONS.iter().map(|m| ("m", *m));
        let mut all = fan_ins.chain(neurons);
        all.try_fold(Units::default(), |units, (axis, size)| {
            units.and(&[axis], size, 1)
        })
    }

    fn recipe(&self, _settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "rows": ROWS,
            "fan-in": FAN_IN,
            "neurons": NEURONS,
            "largest dense": DENSE_NUMBERS,
            "tolerance": TOLERANCE,
            "repeats": REPEATS,
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Cost>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let [fan_in, neurons] = sizes(unit)?;
        let backend = context.backend.clone();
        let curvature = curvature([fan_in, neurons], context)?;
        let exact = backend.accumulation_dtype();
        let solve = |method: Method| -> Result<(f64, usize), ExperimentError> {
            let solver = SpectrumSolver::default()
                .with_method(method)
                .with_tolerance(TOLERANCE);
            let operator = CapturedOperator::new(vec![&curvature], backend.as_ref());
            let started = Instant::now();
            let sites = solver.solve(&operator, ROWS, exact)?;
            let iterations = sites.iter().map(|site| site.iterations).sum();
            Ok((started.elapsed().as_secs_f64(), iterations))
        };
        let (mut krylov, mut iterations) = solve(Method::Krylov)?;
        for _ in 1..REPEATS {
            let (seconds, count) = solve(Method::Krylov)?;
            krylov = krylov.min(seconds);
            iterations = count;
        }
        let dense = (neurons * fan_in * fan_in <= DENSE_NUMBERS)
            .then(|| solve(Method::Dense))
            .transpose()?;
        encode(&Cost {
            fan_in,
            neurons,
            iterations,
            krylov,
            dense: dense.map(|(seconds, _)| seconds),
        })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for (axis, label, fixed) in [
            ("d", "fan-in d", format!("M {NEURONS}")),
            ("m", "neurons M", format!("d {FAN_IN}")),
        ] {
            let size = |cost: &Cost| match axis {
                "d" => cost.fan_in,
                _ => cost.neurons,
            };
            let costs: Vec<Cost> = results
                .iter()
                .filter(|(unit, _)| unit.starts_with(axis))
                .map(|(unit, value)| decode(unit, value))
                .collect::<Result<_, _>>()?;
            let point = |x: usize, y: f64| Point {
                x: x as f64,
                y,
                deviation: 0.0,
            };
            let series = |label: &str, points: Vec<Point>| Series {
                label: label.to_owned(),
                points,
                joined: true,
            };
            let whole: Vec<Point> = costs.iter().map(|c| point(size(c), c.krylov)).collect();
            let single: Vec<Point> = costs
                .iter()
                .map(|c| point(size(c), c.iteration()))
                .collect();
            let dense: Vec<Point> = costs
                .iter()
                .filter_map(|c| Some(point(size(c), c.dense?)))
                .collect();
            let slope = |points: &[Point]| {
                let pairs: Vec<(f64, f64)> = points.iter().map(|p| (p.x, p.y)).collect();
                format!("{:.2}", log_log_slope(&pairs))
            };
            let row = |cost: &Cost| {
                vec![
                    size(cost).to_string(),
                    format!("{:.4}", cost.krylov),
                    cost.iterations.to_string(),
                    format!("{:.5}", cost.iteration()),
                    cost.dense
                        .map_or("–".into(), |seconds| format!("{seconds:.3}")),
                ]
            };
            let mut rows: Vec<Vec<String>> = costs.iter().map(row).collect();
            rows.push(vec![
                "slope, log-log".into(),
                slope(&whole),
                String::new(),
                slope(&single),
                slope(&dense),
            ]);
            let columns = [
                label,
                "matrix-free, s",
                "iterations",
                "one iteration, s",
                "dense, s",
            ];
            report.tables.push(Table {
                name: format!("spectrum-cost-{axis}"),
                title: format!(
                    "Both ends of all spectra against the {label} ({fixed}, {ROWS} synthetic rows, \
                     relative residual {TOLERANCE:.0e}, device {})",
                    settings.device
                ),
                columns: columns.map(str::to_owned).into(),
                rows,
                notes: vec![format!(
                    "Shortest of {REPEATS} runs (dense: of one). The number of iterations depends on \
                     the data: those of random rows are spectra without isolated ends, a hard case."
                )],
            });
            report.figures.push(Figure {
                name: format!("spectrum-cost-{axis}"),
                title: format!("Both ends of all spectra against the {label} ({fixed})"),
                x_label: label.into(),
                y_label: "seconds".into(),
                x_scale: AxisScale::Log,
                y_scale: AxisScale::Log,
                series: vec![
                    series("dense matrices, decomposed", dense),
                    series("matrix-free, to the end", whole),
                    series("matrix-free, one iteration", single),
                ],
                diagonal: false,
            });
        }
        Ok(report)
    }
}
