//! To be written in this series.
