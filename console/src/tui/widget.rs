//! Small pieces that views are built of: one file a widget, each with one `render`.
//!
//! A widget knows no model: it is given figures, an area and the theme.

pub(crate) mod area_chart;
pub(crate) mod gauge;
pub(crate) mod panel;
pub(crate) mod sparkline;
pub(crate) mod table;
