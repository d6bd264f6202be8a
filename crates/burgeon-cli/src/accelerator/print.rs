//! What was found, as tables.

use burgeon_hardware::{Bottleneck, ConvLayer, Engine, Pipeline};
use burgeon_terminal::Table;

use super::found::Found;
use crate::error::CliError;
use crate::text::grouped;

const MODELLED: &str = "All numbers are of a model: nothing was synthesised or run.";

/// Prints the design with its layers, and the stages.
pub fn tables(found: &Found) -> Result<(), CliError> {
    layers(found)?;
    if let Some(pipeline) = &found.pipeline {
        burgeon_terminal::line("")?;
        stages(found, pipeline)?;
    }
    Ok(())
}

fn layers(found: &Found) -> Result<(), CliError> {
    let (board, best) = (&found.board, &found.best);
    let mut heads = vec![
        "layer".to_owned(),
        "channels".into(),
        "map".into(),
        "cycles".into(),
    ];
    heads.extend(Bottleneck::ALL.map(|term| term.name().to_owned()));
    heads.extend(["bound by".into(), "used, %".into()]);
    let whole = |cycles: f64| grouped(cycles.ceil() as u64);
    let mut sums = [0.0; 4];
    let mut rows = Vec::new();
    for (layer, cycles) in found.layers.iter().zip(&best.cycles.layers) {
        let mut row = vec![
            layer.name.clone(),
            channels(layer),
            map(layer),
            whole(cycles.total),
        ];
        row.extend(cycles.terms.map(whole));
        row.push(cycles.bottleneck.name().into());
        let used = best.accelerator.engine(layer).utilisation(layer, cycles);
        row.push(percent(used));
        rows.push(row);
        for (sum, term) in sums.iter_mut().zip(cycles.terms) {
            *sum += term;
        }
    }
    let mut total = vec!["total".to_owned(), String::new(), String::new()];
    total.push(whole(best.cycles.total));
    total.extend(sums.map(whole));
    total.push(String::new());
    total.push(percent(
        best.cycles.utilisation(&found.layers, &best.accelerator),
    ));
    rows.push(total);
    let needed = best.accelerator.resources();
    let seconds = board.seconds(best.cycles.total);
    let notes = [
        format!(
            "Best of {} designs that fit: {}.",
            grouped(best.tried as u64),
            best.accelerator.describe()
        ),
        format!(
            "It takes {} of {} DSP slices, {} of {} BRAM18, {} of {} port bits; a sample takes \
             {:.3} ms at {} MHz, {:.1} giga-operations a second.",
            needed.dsp,
            board.dsp,
            needed.bram18,
            board.bram18,
            needed.port_bits,
            board.port_bits,
            1e3 * seconds,
            board.megahertz,
            found.network_speed()
        ),
        format!(
            "Cycles of a layer, and what products, loads and stores take by themselves; used: the \
             share of the engine's multiplications. {MODELLED}"
        ),
    ];
    let table = Table {
        title: &format!("{} on {}", found.network, board.name),
        columns: &heads,
        rows: &rows,
        notes: &notes,
    };
    Ok(table.print()?)
}

fn stages(found: &Found, pipeline: &Pipeline) -> Result<(), CliError> {
    let shares = pipeline.utilisation(pipeline.period);
    let rows: Vec<Vec<String>> = pipeline
        .stages
        .iter()
        .zip(shares)
        .map(|(stage, share)| {
            let own = found.layers.get(stage.layers.clone()).unwrap_or_default();
            let name = |layer: Option<&ConvLayer>| layer.map_or("", |layer| &layer.name).to_owned();
            let span = match own {
                [only] => only.name.clone(),
                own => format!("{} to {}", name(own.first()), name(own.last())),
            };
            vec![
                stage.board.name.clone(),
                span,
                stage.accelerator.describe(),
                format!("{:.3}", 1e3 * stage.board.seconds(stage.cycles)),
                format!("{:.3}", 1e3 * stage.transfer),
                share.map_or("–".into(), percent),
            ]
        })
        .collect();
    let heads = [
        "board",
        "layers",
        "design",
        "computes, ms",
        "passes on, ms",
        "busy, %",
    ];
    let notes = [
        format!(
            "A sample every {:.3} ms ({:.1} a second), through all stages in {:.3} ms; pipeline \
             efficiency {} %, {} % of all multipliers used, {:.3} mJ a sample by the stated power \
             of the boards.",
            1e3 * pipeline.period,
            pipeline.throughput(),
            1e3 * pipeline.latency,
            percent(pipeline.efficiency()),
            percent(pipeline.multiplier_efficiency(&found.layers)),
            1e3 * pipeline.energy()
        ),
        format!("The best cut and design of all in the space. {MODELLED}"),
    ];
    let table = Table {
        title: &format!("{} as a pipeline", found.network),
        columns: &heads.map(str::to_owned),
        rows: &rows,
        notes: &notes,
    };
    Ok(table.print()?)
}

fn channels(layer: &ConvLayer) -> String {
    match layer.is_depthwise() {
        true => format!("{} each", layer.groups),
        false => format!(
            "{} → {}",
            layer.groups * layer.inputs,
            layer.groups * layer.outputs
        ),
    }
}

fn map(layer: &ConvLayer) -> String {
    format!("{}×{}", layer.output[0], layer.output[1])
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}
