//! The pacer from outside: its limits, its outages, its invariants, and the bars that it must clear in virtual time

mod limits;
