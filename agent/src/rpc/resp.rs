//! The Redis gateway's port to the store: any node serves any key by forwarding.
