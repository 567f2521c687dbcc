//! The scripts that are part of the executable, by name.

/// Every script, by its name.
pub(crate) const SHIPPED: [(&str, &str); 5] = [
    ("kill-leader", include_str!("scripts/kill-leader.toml")),
    ("freeze-node", include_str!("scripts/freeze-node.toml")),
    ("cut-zone", include_str!("scripts/cut-zone.toml")),
    ("rolling-restart", include_str!("scripts/rolling-restart.toml")),
    ("restore-rehearsal", include_str!("scripts/restore-rehearsal.toml")),
];

/// The script of that name.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
