//! What a plan is to be compiled on: the model's own graph, or the over-grown one where the plan has
//! new layers.

use std::borrow::Cow;

use burgeon_core::{Growth, GrowthGradient, Plan};
use burgeon_graph::{Graph, Place, Site, Slices};

use crate::error::NnError;

/// A plan and the graph that its numbers are laid out for.
///
/// In the over-grown model a channel may be made and read by blocks too. Growths of the model's own
/// sites have no numbers for those: they are 0.
pub(crate) struct Target<'a> {
    pub graph: &'a Graph,
    pub plan: Cow<'a, Plan>,
    /// For each growth the place of its new layer, if it is one.
    pub places: Vec<Option<&'a Place>>,
    /// For each growth where the numbers of its sides come from, where they are laid out anew.
    layouts: Vec<Option<Layout>>,
}

impl<'a> Target<'a> {
    /// # Errors
    /// [`NnError::Graph`] for a site or a place that the model does not have.
    pub fn of(graph: &'a Graph, plan: &'a Plan) -> Result<Self, NnError> {
        let mut over = None;
        let mut places = Vec::with_capacity(plan.growths.len());
        for growth in plan.growths() {
            let Growth::NewLayer(layer) = growth else {
                places.push(None);
                continue;
            };
            let (overgrown, place) = graph.place(&layer.stack, layer.after)?;
            over = Some(overgrown);
            places.push(Some(place));
        }
        let mut target = Self {
            graph: over.unwrap_or(graph),
            plan: Cow::Borrowed(plan),
            layouts: vec![None; places.len()],
            places,
        };
        if over.is_some() {
            target.lay_out(graph)?;
        }
        Ok(target)
    }

    /// Whether it is the over-grown graph.
    pub fn is_deep(&self) -> bool {
        self.places.iter().any(Option::is_some)
    }

    /// Lays out the growths of sites of `own` anew.
    fn lay_out(&mut self, own: &Graph) -> Result<(), NnError> {
        let plan = self.plan.to_mut();
        for (planned, layout) in plan.growths.iter_mut().zip(&mut self.layouts) {
            if matches!(planned.growth, Growth::NewLayer(_) | Growth::Removal(_)) {
                continue;
            }
            let (site, over) = {
                let name = planned.growth.site();
                (own.site(name)?, self.graph.site(name)?)
            };
            let found = Layout::of((own, site), (self.graph, over));
            match &mut planned.growth {
                Growth::Split(split) => {
                    for copy in &mut split.offspring {
                        copy.offset = found.fan_in.spread(&copy.offset);
                    }
                }
                Growth::NewNeuron(new) => {
                    new.fan_in = found.fan_in.spread(&new.fan_in);
                    new.fan_out = found.fan_out.spread(&new.fan_out);
                }
                _ => {}
            }
            *layout = Some(found);
        }
        Ok(())
    }

    /// The gradients of the growths in their own numbers.
    pub fn gathered(&self, mut gradients: Vec<GrowthGradient>) -> Vec<GrowthGradient> {
        for (gradient, layout) in gradients.iter_mut().zip(&self.layouts) {
            if let Some(layout) = layout {
                for side in &mut gradient.fan_in {
                    *side = layout.fan_in.gathered(side);
                }
                gradient.fan_out = layout.fan_out.gathered(&gradient.fan_out);
            }
        }
        gradients
    }
}

#[derive(Debug, Clone)]
struct Layout {
    fan_in: Side,
    fan_out: Side,
}

impl Layout {
    fn of(own: (&Graph, &Site), over: (&Graph, &Site)) -> Self {
        let ((own, site), (over, same)) = (own, over);
        Self {
            fan_in: Side::of((own, site.fan_in()), (over, same.fan_in())),
            fan_out: Side::of((own, &own.fan_out(site)), (over, &over.fan_out(same))),
        }
    }
}

/// One side of a site's channels.
#[derive(Debug, Clone)]
struct Side {
    /// Numbers that the model's own site has.
    own: usize,
    /// For each number of the over-grown one its place among these.
    from: Vec<Option<usize>>,
}

impl Side {
    fn of(own: (&Graph, &[Slices]), over: (&Graph, &[Slices])) -> Self {
        let mut starts = Vec::with_capacity(own.1.len());
        let mut count = 0;
        for part in own.1 {
            starts.push((own.0.parameters()[part.parameter].id, part.axis, count));
            count += part.size;
        }
        let mut from = Vec::new();
        for part in over.1 {
            let id = over.0.parameters()[part.parameter].id;
            let mut starts = starts.iter();
            let known = starts.find(|(own, axis, _)| *own == id && *axis == part.axis);
            let start = known.map(|(.., start)| *start);
            from.extend((0..part.size).map(|number| start.map(|start| start + number)));
        }
        Self { own: count, from }
    }

    /// Numbers of the over-grown site; what does not fit is left for the compiler to refuse.
    fn spread(&self, own: &[f64]) -> Vec<f64> {
        if own.len() != self.own {
            return own.to_vec();
        }
        let numbers = self.from.iter();
        numbers
            .map(|from| from.map_or(0.0, |place| own[place]))
            .collect()
    }

    /// Numbers of the model's own site.
    fn gathered(&self, over: &[f64]) -> Vec<f64> {
        if over.is_empty() {
            return Vec::new();
        }
        let mut own = vec![0.0; self.own];
        for (from, number) in self.from.iter().zip(over) {
            if let Some(place) = from {
                own[*place] = *number;
            }
        }
        own
    }
}
