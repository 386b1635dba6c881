//! Runs Midge plugins: sandboxed WebAssembly components.
