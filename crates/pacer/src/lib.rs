//! Rate control: one shared, learned rate; pure policy without clock, socket or runtime
