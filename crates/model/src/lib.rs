//! The transformer, its quantised weights and its adapters, on libtorch
