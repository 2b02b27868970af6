//! Compiles the C++ shim against libtorch's headers and writes the rpath of our own test binaries.
//!
//! `torch-sys` tells only its direct dependents where libtorch lies, and a link argument reaches only the package
//! that prints it. So the folder goes on as metadata: a crate that links a binary with this one reads
//! `DEP_MODEL_LIBTORCH_LIB` in its own build script.

fn main() {
    println!("cargo::rerun-if-changed=src/shim.cpp");
    #[cfg(feature = "libtorch")]
    libtorch();
}

#[cfg(feature = "libtorch")]
fn libtorch() {
    use std::env;
    use std::path::PathBuf;

    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let windows = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows");
    // On Windows torch-sys prints no folder; there `LIBTORCH` is the only way that works anyway. With
    // `tch/doc-only` there is neither, nothing will be linked, and nothing is compiled.
    let lib = match env::var_os("DEP_TCH_LIBTORCH_LIB") {
        Some(lib) => PathBuf::from(lib),
        None if windows => match env::var_os("LIBTORCH") {
            Some(libtorch) => PathBuf::from(libtorch).join("lib"),
            None => return,
        },
        None => return,
    };
    let include = lib.with_file_name("include");
    let mut shim = cc::Build::new();
    shim.cpp(true).warnings(false).file("src/shim.cpp").include(&include);
    shim.include(include.join("torch/csrc/api/include"));
    if windows {
        shim.flag("/std:c++17");
    } else {
        let abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
        shim.flag("-std=c++17").flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}")).flag("-g0");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
    shim.compile("model_shim");
    println!("cargo::metadata=libtorch_lib={}", lib.display());
}
