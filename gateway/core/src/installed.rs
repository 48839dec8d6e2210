//! Meters in use: how the state keeps them, and what their drivers are to do.

use crate::decision::{Decision, Record};
use crate::event::Role;
use crate::meter_link::{Initial, Installed, MeterLink, Node, WouldCut};
use crate::state::State;
use crate::supply::SupplyOrder;
use crate::{NodeId, WattHours};

impl State {
    pub(crate) fn apply_node(&mut self, record: &Record) {
        match &record.decision {
            Decision::NodeAdded {
                node,
                role,
                replaces,
                link,
                switch,
                initial,
                ..
            } => {
                if let Some(old) = replaces.and_then(|old| self.nodes.get_mut(&old)) {
                    old.role = None;
                }
                let added = Node {
                    id: *node,
                    role: Some(*role),
                    link: link.clone(),
                    switch: switch.clone(),
                    initial: initial.map(|register| Initial {
                        register,
                        at: record.at,
                    }),
                };
                self.nodes.insert(*node, added);
            }
            Decision::NodeLinked {
                node, link, switch, ..
            } => {
                if let Some(node) = self.nodes.get_mut(node) {
                    (node.link, node.switch) = (link.clone(), switch.clone());
                }
            }
            Decision::NodeRetired { node, .. } => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.role = None;
                }
            }
            _ => {}
        }
    }

    /// Every meter in use that is not reached by our nodes' MQTT topics alone, with what its switch is to be.
    pub fn installed(&self) -> impl Iterator<Item = Installed> + '_ {
        self.nodes
            .values()
            .filter(|node| !node.link.is_node() || node.switch.is_some())
            .filter_map(|node| self.installed_at(node))
    }

    fn installed_at(&self, node: &Node) -> Option<Installed> {
        let role = node.role?;
        let point = match role {
            Role::UsagePoint(id) => self.usage_points.get(&id),
            Role::Feeder(_) => None,
        };
        let wanted = point.map(|point| point.supply.desired());
        let left = point.and_then(|point| {
            let cuts = point.supply.order == SupplyOrder::Auto && !point.supply.shadow;
            let tariff = self.tariff_of(point).filter(|_| cuts)?;
            let register = point.register_for(self.raw_register(point));
            Some(
                point
                    .supplied_until(tariff)
                    .since(register)
                    .unwrap_or(WattHours(0)),
            )
        });
        Some(Installed {
            node: node.id,
            role,
            link: node.link.clone(),
            switch: node.switch.clone(),
            wanted: wanted.filter(|_| node.switch.is_some()),
            left,
            register: self
                .readings
                .get(&node.id)
                .map(|last| last.reading.register)
                .or_else(|| {
                    let counted_here = matches!(node.link, MeterLink::Pulse { .. });
                    node.initial.filter(|_| counted_here).map(|i| i.register)
                }),
            max_power_w: point.map(|point| point.max_power_w),
        })
    }

    /// The usage points in shadow that would be cut now if they were armed.
    pub fn would_cut(&self) -> impl Iterator<Item = WouldCut> + '_ {
        let points = self.usage_points.values();
        points
            .filter(|point| point.supply.would_cut())
            .map(|point| WouldCut {
                usage_point: point.id,
                reasons: point.supply.reasons,
            })
    }

    /// The number after the highest node's.
    pub(crate) fn next_node(&self) -> NodeId {
        let last = self.nodes.keys().next_back();
        NodeId(last.map_or(1, |last| last.0.saturating_add(1)))
    }
}
