//! A simulated Vertex: quotas, faults and written answers on loopback
