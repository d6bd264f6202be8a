//! Sites, index maps and roles, from what an analysis found.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Axes;
use crate::graph::{Graph, Role};
use crate::groups::Groups;
use crate::layout::{GroupId, IndexMap, Segment};
use crate::operation::Smoothness;
use crate::site::{Edge, Site, Slices};

/// Writes index maps, roles and sites.
pub(super) fn finish(
    graph: &mut Graph,
    groups: &Groups,
    axes: &[Axes],
    roles: &BTreeMap<(usize, usize), Role>,
    edges: &[(Edge, Vec<Segment>)],
    used: &[(usize, usize)],
) {
    let along = |parameter: usize, axis: usize| {
        let value = graph.parameters[parameter].value;
        IndexMap::new(groups.resolve(&axes[value.0][axis]))
    };
    // Sites in the order in which their producers are used.
    let mut order: Vec<GroupId> = Vec::new();
    let mut fan_ins: HashMap<GroupId, Vec<Slices>> = HashMap::new();
    let mut made: BTreeSet<GroupId> = BTreeSet::new();
    for &(parameter, axis) in used {
        let map = along(parameter, axis);
        let size: usize = graph.parameters[parameter].shape.iter().product();
        for group in map.groups() {
            let places = map.places(group, 0).len();
            let role = roles.get(&(parameter, axis));
            if role == Some(&Role::Producer) && made.insert(group) {
                order.push(group);
            }
            fan_ins.entry(group).or_default().push(Slices {
                parameter,
                axis,
                size: size / map.length().max(1) * places,
            });
        }
    }
    let known: HashMap<GroupId, (usize, Option<String>)> = groups
        .roots()
        .map(|(group, width, frozen)| (group, (width, frozen.map(str::to_owned))))
        .collect();
    let number: HashMap<GroupId, GroupId> = order
        .iter()
        .enumerate()
        .map(|(index, &group)| (group, GroupId(index)))
        .collect();
    let renamed = |segments: &[Segment]| {
        let segments = groups.resolve(segments).into_iter();
        IndexMap::new(
            segments
                .map(|segment| match segment {
                    Segment::Channels {
                        group,
                        width,
                        columns,
                    } if number.contains_key(&group) => Segment::Channels {
                        group: number[&group],
                        width,
                        columns,
                    },
                    other => Segment::Fixed(other.length()),
                })
                .collect(),
        )
    };
    let maps: Vec<Vec<IndexMap>> = axes
        .iter()
        .map(|axes| axes.iter().map(|segments| renamed(segments)).collect())
        .collect();
    let mut sites: Vec<Site> = order
        .iter()
        .map(|group| {
            let (width, frozen) = known.get(group).cloned().unwrap_or_default();
            let mut fan_in = fan_ins.remove(group).unwrap_or_default();
            // A bias stands behind the weight it belongs to, in the order of use.
            let role = |part: &Slices| roles.get(&(part.parameter, part.axis));
            let producers = fan_in.iter().filter(|p| role(p) == Some(&Role::Producer));
            let mut names: Vec<String> = producers
                .map(|part| graph.parameters[part.parameter].layer().to_owned())
                .collect();
            names.dedup();
            fan_in.dedup();
            Site {
                name: names.first().cloned().unwrap_or_default(),
                group: number[group],
                width,
                fan_in,
                producers: names,
                nodes: Vec::new(),
                edges: Vec::new(),
                smoothness: Smoothness::Exact,
                frozen,
            }
        })
        .collect();
    for (edge, segments) in edges {
        for group in renamed(segments).groups() {
            let site = &mut sites[group.0];
            if !site.edges.contains(edge) {
                site.edges.push(*edge);
            }
        }
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        let along: BTreeSet<GroupId> = maps[node.output.0]
            .iter()
            .flat_map(IndexMap::groups)
            .collect();
        for group in along {
            sites[group.0].nodes.push(index);
        }
    }
    for (&(parameter, axis), role) in roles {
        let parameter = &graph.parameters[parameter];
        if parameter.trained || *role == Role::Member {
            continue;
        }
        for group in maps[parameter.value.0][axis].groups() {
            let reason = || format!("its parameter `{}` is frozen", parameter.path);
            sites[group.0].frozen.get_or_insert_with(reason);
        }
    }
    for site in &mut sites {
        let smoothness = site.nodes.iter().map(|&node| graph.nodes[node].smoothness);
        site.smoothness = smoothness.max().unwrap_or_default();
        if site.edges.is_empty() {
            let reason = || "no layer reads it".into();
            site.frozen.get_or_insert_with(reason);
        }
    }
    name_apart(&mut sites);
    for (value, maps) in graph.values.iter_mut().zip(&maps) {
        value.axes.clone_from(maps);
    }
    for (index, parameter) in graph.parameters.iter_mut().enumerate() {
        parameter.axes.clone_from(&maps[parameter.value.0]);
        let axes = parameter.axes.iter().enumerate();
        parameter.roles = axes
            .map(|(axis, map)| {
                let member = map.has_channels().then_some(Role::Member);
                roles.get(&(index, axis)).copied().or(member)
            })
            .collect();
    }
    graph.sites = sites;
}

/// Several sites may come from one layer (a fused gate): they are numbered.
fn name_apart(sites: &mut [Site]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for site in sites {
        let count = seen.entry(site.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            site.name = format!("{}#{count}", site.name);
        }
    }
}
