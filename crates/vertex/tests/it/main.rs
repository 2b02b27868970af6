//! The crate from outside: replies judged, settings read, and a client against servers that behave and misbehave.
#![expect(clippy::unwrap_used, reason = "clippy's exemption of tests does not reach their helper functions")]

mod broken;
mod damage;
mod exchange;
mod preflight;
mod replies;
mod requests;
mod settings;

use vertex::{Access, Client, Model, Options, Place, Request};

/// A place on Vertex AI; it only goes into the advice.
fn place() -> Place {
    Place::Vertex { project: Some("example-project".to_owned()), location: "global".to_owned() }
}

fn model() -> Model {
    "gemini-3.1-pro-preview".parse().unwrap()
}

fn request() -> Request {
    Request::new(model(), "Be brief.", "Which year is right?")
}

/// Access that the given variables, and only they, describe.
fn access(variables: &[(&str, &str)]) -> Result<Access, vertex::AccessError> {
    Access::from_lookup(|name| {
        let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
        Some((*value).to_owned())
    })
}

fn client(base: &str) -> Client {
    client_with(base, Options::default())
}

fn client_with(base: &str, options: Options) -> Client {
    Client::new(access(&[("GOOGLE_VERTEX_BASE_URL", base)]).unwrap(), options).unwrap()
}

/// A recorded reply, by the beginning of its name: the status is part of it.
fn fixture(name: &str) -> (u16, Vec<u8>) {
    let status = name.split('-').next().unwrap().parse().unwrap();
    let path = format!("{}/../../fixtures/vertex/{name}.json", env!("CARGO_MANIFEST_DIR"));
    (status, std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// The names of all recorded replies, sorted.
fn fixtures() -> Vec<String> {
    let folder = format!("{}/../../fixtures/vertex", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}
