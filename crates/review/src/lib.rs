//! One HTML page that lays the arms side by side
