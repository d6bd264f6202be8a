//! A network without Burn: neurons of a few sites compute `h(θ) = bᵀθ + ½ θᵀAθ`, outputs are
//! `Σ a_j h(θ_j)` over all of them, and the loss is `½ ‖outputs − targets‖²`.

use std::sync::{Arc, Mutex};

use burgeon_core::capture::Norms;
use burgeon_core::eigen::spectrum;
use burgeon_core::growth::{Growth, Side};
use burgeon_core::{
    Capture, CoreError, GradientRequest, GrowthGradient, Landscape, LineSearch, Method, Needs,
    Plan, PlanGradient, Site, SiteSpectra, SlopeAtZero, Trial,
};
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Outputs of the network, by all of which a neuron is read.
pub const OUTPUTS: usize = 3;

#[derive(Debug, Clone)]
struct Neuron {
    theta: DVector<f64>,
    read_by: DVector<f64>,
}

#[derive(Debug, Clone)]
struct ToySite {
    slope: DVector<f64>,
    curve: DMatrix<f64>,
    neurons: Vec<Neuron>,
}

/// The network.
pub struct Toy {
    shapes: Vec<Site>,
    has_kink: bool,
    sites: Vec<ToySite>,
    targets: DVector<f64>,
    /// What it was asked to capture.
    pub asked: Mutex<Vec<Needs>>,
}

impl Toy {
    /// Sites of these names, numbers of neurons and dimensions, with weights that follow from
    /// `seed`; those that have a kink answer `max(h, 0)`.
    pub fn new(sites: &[(&str, usize, usize)], has_kink: bool, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || rng.random_range(-1.0..1.0);
        let mut toy = Self {
            shapes: Vec::new(),
            has_kink,
            sites: Vec::new(),
            targets: DVector::from_fn(OUTPUTS, |_, _| draw()),
            asked: Mutex::new(Vec::new()),
        };
        for (number, &(name, neurons, dim)) in sites.iter().enumerate() {
            let costs = [1, 2, 3].map(|added| added * (10 + number as u64));
            toy.shapes.push(Site {
                name: name.into(),
                neurons,
                dim,
                fan_out: OUTPUTS,
                is_normalised: false,
                added_costs: costs,
                norms: None,
                moments: None,
                curvature: None,
                spectra: None,
            });
            let full = DMatrix::from_fn(dim, dim, |_, _| draw());
            let neurons = (0..neurons).map(|_| Neuron {
                theta: DVector::from_fn(dim, |_, _| draw()),
                read_by: DVector::from_fn(OUTPUTS, |_, _| draw()),
            });
            let neurons = neurons.collect();
            toy.sites.push(ToySite {
                slope: DVector::from_fn(dim, |_, _| draw()),
                curve: (&full + full.transpose()) * 0.5,
                neurons,
            });
        }
        toy
    }

    fn residual(&self, sites: &[ToySite]) -> DVector<f64> {
        let mut outputs = -&self.targets;
        for site in sites {
            for neuron in &site.neurons {
                let bent = &site.curve * &neuron.theta;
                let h = neuron.theta.dot(&(&site.slope + bent * 0.5));
                let h = if self.has_kink { h.max(0.0) } else { h };
                outputs += &neuron.read_by * h;
            }
        }
        outputs
    }

    /// The splitting matrix of each neuron of a site: that of a site without a kink.
    fn matrices(&self, site: usize) -> Vec<DMatrix<f64>> {
        let residual = self.residual(&self.sites);
        let ToySite { curve, neurons, .. } = &self.sites[site];
        let matrix = |neuron: &Neuron| curve * residual.dot(&neuron.read_by);
        neurons.iter().map(matrix).collect()
    }

    /// The smallest eigenvalue of each neuron's splitting matrix, site by site.
    pub fn least(&self) -> Vec<Vec<f64>> {
        let sites = 0..self.sites.len();
        let of_site = |site| {
            let matrices = self.matrices(site).into_iter();
            matrices.map(|m| m.symmetric_eigenvalues().min()).collect()
        };
        sites.map(of_site).collect()
    }

    /// The sites after `plan` with step `epsilon`.
    fn grown(&self, plan: &Plan, epsilon: f64) -> Result<Vec<ToySite>, CoreError> {
        plan.validate()?;
        self.unchecked(plan, epsilon)
    }

    fn unchecked(&self, plan: &Plan, epsilon: f64) -> Result<Vec<ToySite>, CoreError> {
        let mut sites = self.sites.clone();
        let mut removed = Vec::new();
        for growth in plan.growths() {
            let place = self.place(growth.site());
            let dim = self.shapes[place].dim;
            let neurons = &mut sites[place].neurons;
            match growth {
                Growth::Split(split) => {
                    let parent = neurons[split.neuron].clone();
                    for (copy, offspring) in split.offspring.iter().enumerate() {
                        let offset = vector("an offset", dim, &offspring.offset)?;
                        let neuron = Neuron {
                            theta: &parent.theta + offset * epsilon,
                            read_by: &parent.read_by * offspring.weight,
                        };
                        match copy {
                            0 => neurons[split.neuron] = neuron,
                            _ => neurons.push(neuron),
                        }
                    }
                }
                Growth::NewNeuron(new) => {
                    let (of, by) = match new.scaled {
                        Side::FanIn => (epsilon, 1.0),
                        Side::FanOut => (1.0, epsilon),
                    };
                    neurons.push(Neuron {
                        theta: vector("a fan-in", dim, &new.fan_in)? * of,
                        read_by: vector("a fan-out", OUTPUTS, &new.fan_out)? * by,
                    });
                }
                Growth::Removal(removal) => removed.push((place, removal.neuron)),
                other => panic!("an unknown growth: {other}"),
            }
        }
        removed.sort_unstable();
        for (place, neuron) in removed.into_iter().rev() {
            sites[place].neurons.remove(neuron);
        }
        Ok(sites)
    }

    fn place(&self, name: &str) -> usize {
        let place = self.shapes.iter().position(|site| site.name == name);
        place.expect("a site of this name")
    }
}

fn vector(what: &str, length: usize, values: &[f64]) -> Result<DVector<f64>, CoreError> {
    match values.len() {
        0 => Ok(DVector::zeros(length)),
        found if found == length => Ok(DVector::from_column_slice(values)),
        found => Err(CoreError::Shape {
            what: what.into(),
            expected: vec![length],
            found: vec![found],
        }),
    }
}

impl Landscape for Toy {
    fn sites(&self) -> &[Site] {
        &self.shapes
    }

    /// What was not asked for is not there.
    fn capture(&self, needs: Needs) -> Result<Arc<Capture>, CoreError> {
        self.asked.lock().expect("no panic").push(needs);
        let mut sites = self.shapes.clone();
        for (number, site) in sites.iter_mut().enumerate() {
            let neurons = &self.sites[number].neurons;
            if needs.norms {
                let mean = |square: &dyn Fn(&Neuron) -> f64| {
                    let sum: f64 = neurons.iter().map(square).sum();
                    (sum / neurons.len() as f64).sqrt()
                };
                site.norms = Some(Norms {
                    fan_in: mean(&|neuron| neuron.theta.norm_squared()),
                    fan_out: mean(&|neuron| neuron.read_by.norm_squared()),
                });
            }
            if needs.spectra {
                let matrices = self.matrices(number).into_iter().enumerate();
                let spectra = matrices.map(|(neuron, m)| spectrum(&site.name, neuron, &m));
                site.spectra = Some(SiteSpectra {
                    spectra: spectra.collect::<Result<_, _>>()?,
                    method: Method::Dense,
                    iterations: 0,
                    bytes: 0,
                });
            }
        }
        Ok(Arc::new(Capture {
            sites,
            samples: 1,
            loss: 0.5 * self.residual(&self.sites).norm_squared(),
            bytes: 0,
        }))
    }

    fn losses(&self, plan: &Plan, steps: &[f64]) -> Result<LineSearch, CoreError> {
        let mut trials = Vec::new();
        for &epsilon in steps {
            let loss = 0.5 * self.residual(&self.grown(plan, epsilon)?).norm_squared();
            let loss = Some(loss).filter(|loss| loss.is_finite());
            trials.push(Trial { epsilon, loss });
        }
        Ok(LineSearch {
            baseline: 0.5 * self.residual(&self.sites).norm_squared(),
            trials,
        })
    }

    /// By differences of one weight at a time.
    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        // Every weight at its value at ε, so that each can be moved alone.
        let mut fixed = plan.clone();
        for planned in &mut fixed.growths {
            let place = self.place(planned.growth.site());
            let dim = self.shapes[place].dim;
            match &mut planned.growth {
                Growth::Split(split) => {
                    for copy in &mut split.offspring {
                        copy.offset
                            .iter_mut()
                            .for_each(|value| *value *= at.epsilon);
                    }
                }
                Growth::NewNeuron(new) => {
                    new.fan_in.resize(dim, 0.0);
                    new.fan_out.resize(OUTPUTS, 0.0);
                    let scaled = match new.scaled {
                        Side::FanIn => &mut new.fan_in,
                        Side::FanOut => &mut new.fan_out,
                    };
                    scaled.iter_mut().for_each(|value| *value *= at.epsilon);
                }
                _ => {}
            }
        }
        let slope = |number: usize, weight: &dyn Fn(&mut Growth) -> Option<&mut f64>| {
            let moved = |by: f64| -> Result<f64, CoreError> {
                let mut plan = fixed.clone();
                if let Some(weight) = weight(&mut plan.growths[number].growth) {
                    *weight += by;
                }
                let residual = self.residual(&self.unchecked(&plan, 1.0)?);
                Ok(0.5 * residual.norm_squared())
            };
            let slope = (moved(1e-5)? - moved(-1e-5)?) / 2e-5;
            // Right in between two slopes.
            let growth = &fixed.growths[number].growth;
            let is_still = matches!(growth, Growth::NewNeuron(new)
                if new.fan_in.iter().all(|value| *value == 0.0));
            let factor = match at.slope_at_zero {
                _ if !(is_still && self.has_kink) => 1.0,
                SlopeAtZero::Trained => 0.0,
                SlopeAtZero::One => 2.0,
            };
            Ok::<f64, CoreError>(factor * slope)
        };
        let mut growths = Vec::new();
        for (number, growth) in plan.growths().enumerate() {
            let dim = self.shapes[self.place(growth.site())].dim;
            let mut own = GrowthGradient::zeros(growth, dim, OUTPUTS);
            for neuron in 0..own.fan_in.len() {
                for place in 0..dim {
                    own.fan_in[neuron][place] = slope(number, &|growth| match growth {
                        Growth::Split(split) => Some(&mut split.offspring[neuron].offset[place]),
                        Growth::NewNeuron(new) => Some(&mut new.fan_in[place]),
                        _ => None,
                    })?;
                }
            }
            for place in 0..own.fan_out.len() {
                own.fan_out[place] = slope(number, &|growth| match growth {
                    Growth::NewNeuron(new) => Some(&mut new.fan_out[place]),
                    _ => None,
                })?;
            }
            growths.push(own);
        }
        let residual = self.residual(&self.unchecked(&fixed, 1.0)?);
        Ok(PlanGradient {
            loss: 0.5 * residual.norm_squared(),
            growths,
        })
    }
}
