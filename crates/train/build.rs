//! Writes the rpath of libtorch into this crate's binaries, so that they run without `LD_LIBRARY_PATH`.
//!
//! A link argument reaches only the package that prints it, which is why `model` cannot do this for us; it says where
//! libtorch lies. Windows has no rpath: there the folder must be on `PATH`.

fn main() {
    println!("cargo::rerun-if-env-changed=DEP_MODEL_LIBTORCH_LIB");
    let windows = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows");
    if let Some(lib) = std::env::var_os("DEP_MODEL_LIBTORCH_LIB").filter(|_| !windows) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
