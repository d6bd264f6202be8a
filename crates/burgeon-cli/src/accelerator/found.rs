//! What was found, as data and as a roofline.

use burgeon_hardware::{BestDesign, Board, ConvLayer, Engine, Pipeline};
use burgeon_report::{AxisScale, Figure, Point, Series};
use serde_json::{Value, json};

/// The best design of a network on a board, and its pipeline on several.
#[derive(Debug)]
pub struct Found {
    pub network: String,
    pub board: Board,
    pub best: BestDesign,
    pub layers: Vec<ConvLayer>,
    pub pipeline: Option<Pipeline>,
}

/// A multiplication and a sum.
const OPERATIONS: f64 = 2.0;

impl Found {
    /// Giga-operations a second of so many multiply-accumulate operations in so many cycles.
    fn speed(&self, macs: f64, cycles: f64) -> f64 {
        OPERATIONS * macs / self.board.seconds(cycles) / 1e9
    }

    /// Giga-operations a second of the whole network.
    pub fn network_speed(&self) -> f64 {
        let macs = self.layers.iter().map(ConvLayer::macs).sum();
        self.speed(macs, self.best.cycles.total)
    }

    /// All of it as JSON.
    pub fn json(&self) -> Value {
        let engine = &self.best.accelerator;
        let layers = self.layers.iter().zip(&self.best.cycles.layers);
        let layers: Vec<Value> = layers
            .map(|(layer, cycles)| {
                let [compute, inputs, weights, outputs] = cycles.terms;
                json!({
                    "layer": layer,
                    "macs": layer.macs(),
                    "cycles": cycles.total,
                    "fill": cycles.fill,
                    "compute": compute,
                    "inputs": inputs,
                    "weights": weights,
                    "outputs": outputs,
                    "bottleneck": cycles.bottleneck,
                    "words": cycles.words,
                    "utilisation": engine.engine(layer).utilisation(layer, cycles),
                })
            })
            .collect();
        let pipeline = self.pipeline.as_ref().map(|pipeline| {
            json!({
                "stages": pipeline.stages,
                "period": pipeline.period,
                "latency": pipeline.latency,
                "throughput": pipeline.throughput(),
                "utilisation": pipeline.utilisation(pipeline.period),
                "efficiency": pipeline.efficiency(),
                "multiplier_efficiency": pipeline.multiplier_efficiency(&self.layers),
                "joule": pipeline.energy(),
            })
        });
        json!({
            "network": self.network,
            "board": self.board,
            "design": engine,
            "resources": engine.resources(),
            "designs_tried": self.best.tried,
            "cycles": self.best.cycles.total,
            "seconds": self.board.seconds(self.best.cycles.total),
            "giga_operations_per_second": self.network_speed(),
            "layers": layers,
            "pipeline": pipeline,
        })
    }

    /// Operations a second against operations for each word moved, below the two roofs.
    pub fn roofline(&self) -> Figure {
        let engine = &self.best.accelerator.convolution;
        let layers = self.layers.iter().zip(&self.best.cycles.layers);
        let points: Vec<Point> = layers
            .filter(|(_, cycles)| cycles.words > 0.0)
            .map(|(layer, cycles)| Point {
                x: OPERATIONS * layer.macs() / cycles.words,
                y: self.speed(layer.macs(), cycles.total),
                deviation: 0.0,
            })
            .collect();
        let flat = self.speed(engine.peak(), 1.0);
        let slope = engine
            .bandwidth()
            .map(|words| words / self.board.seconds(1.0) / 1e9);
        let xs = || points.iter().map(|point| point.x);
        let ridge = slope.map_or(f64::INFINITY, |slope| flat / slope);
        let ends = [
            xs().fold(ridge, f64::min) / 2.0,
            xs().fold(ridge, f64::max) * 2.0,
        ];
        let roof = [ends[0], ridge, ends[1]].map(|x| Point {
            x,
            y: slope.map_or(flat, |slope| flat.min(slope * x)),
            deviation: 0.0,
        });
        let series = |label: &str, points: Vec<Point>, joined| Series {
            label: label.into(),
            points,
            joined,
        };
        Figure {
            name: "roofline".into(),
            title: format!("Roofline of {} on {}", self.network, self.board.name),
            x_label: "operations for each word moved".into(),
            y_label: "giga-operations a second".into(),
            x_scale: AxisScale::Log,
            y_scale: AxisScale::Log,
            series: vec![
                series("roof", roof.to_vec(), true),
                series("layers", points, false),
            ],
            diagonal: false,
        }
    }
}
