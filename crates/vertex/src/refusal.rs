//! Turns a refusal (4xx that a retry cannot change) into what to set, and where.

use crate::access::Place;
use crate::outcome::{Fatal, FatalKind};
use crate::wire;

const KEY: &str = "check GOOGLE_API_KEY or GEMINI_API_KEY in the environment or in .env";
const LOGIN: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS in the \
     environment or in .env to the path of a valid key file";

pub(crate) fn read(
    status: u16,
    error: &wire::ErrorBody,
    message: String,
    place: &Place,
    model: &str,
) -> Fatal {
    let reasons: Vec<String> = error.known_details().filter_map(|detail| detail.reason).collect();
    let has = |wanted: &[&str]| reasons.iter().any(|reason| wanted.contains(&reason.as_str()));
    let says = |part: &str| message.to_ascii_lowercase().contains(part);
    let (kind, remedy) = if status == 401 || has(&["API_KEY_INVALID"]) || says("api key not valid") {
        (FatalKind::Credentials, credentials(place))
    } else if status == 400 && says("token count") && says("exceed") {
        (
            FatalKind::PromptTooLong,
            format!("shorten the prompt, or choose a model with a larger input than {model}"),
        )
    } else if says("user location is not supported") {
        (
            FatalKind::Permission,
            "the Developer endpoint is not offered where you are; use Vertex AI: set GOOGLE_CLOUD_PROJECT"
                .to_owned(),
        )
    } else {
        match status {
            403 => (FatalKind::Permission, permission(place, &has)),
            407 => (
                FatalKind::Request,
                "a proxy wants a login: put it into HTTPS_PROXY, as http://NAME:PASSWORD@HOST:PORT".to_owned(),
            ),
            404 => (FatalKind::NotFound, not_found(place, model)),
            300..=399 => (
                FatalKind::Request,
                "redirects are not followed; set GOOGLE_VERTEX_BASE_URL or GOOGLE_GEMINI_BASE_URL to the final address"
                    .to_owned(),
            ),
            _ => (FatalKind::Request, format!("check the experiment's generation settings for {model}")),
        }
    };
    Fatal { kind, status, message, remedy }
}

pub(crate) fn no_quota(quota: &str, message: String, place: &Place, model: &str) -> Fatal {
    let remedy = match place {
        Place::Vertex { .. } => {
            format!(
                "the quota {quota} is 0 for {model}: ask for quota in the Cloud console, or choose another model"
            )
        }
        Place::Developer => {
            format!(
                "the quota {quota} is 0 for {model}: turn on billing for the key's project, or choose another model"
            )
        }
    };
    Fatal { kind: FatalKind::NoQuota, status: 429, message, remedy }
}

pub(crate) fn credentials(place: &Place) -> String {
    match place {
        Place::Vertex { project: Some(_), .. } => LOGIN,
        Place::Vertex { project: None, .. } | Place::Developer => KEY,
    }
    .to_owned()
}

fn permission(place: &Place, has: &impl Fn(&[&str]) -> bool) -> String {
    let Place::Vertex { project: Some(project), .. } = place else { return KEY.to_owned() };
    if has(&["SERVICE_DISABLED"]) {
        format!("run `gcloud services enable aiplatform.googleapis.com --project {project}`")
    } else if has(&["BILLING_DISABLED"]) {
        format!("turn on billing for the project {project}, or set GOOGLE_CLOUD_PROJECT to another one")
    } else if has(&["CONSUMER_INVALID", "USER_PROJECT_DENIED"]) {
        format!(
            "{project} is not a project that these credentials may use: check GOOGLE_CLOUD_PROJECT in the environment or in .env"
        )
    } else {
        format!(
            "check GOOGLE_CLOUD_PROJECT (now {project}), and that these credentials have the role \
             roles/aiplatform.user there"
        )
    }
}

fn not_found(place: &Place, model: &str) -> String {
    match place {
        Place::Vertex { location, .. } if location == "global" => format!(
            "check the experiment's `model` (now {model}) and GOOGLE_CLOUD_PROJECT; some models are offered in \
             regions only, then set GOOGLE_CLOUD_LOCATION (now global); GOOGLE_VERTEX_BASE_URL, if it is set, ends before \
             /v1"
        ),
        Place::Vertex { location, .. } => format!(
            "the location {location} may not have {model}: set GOOGLE_CLOUD_LOCATION=global in the environment or in \
             .env, or change the experiment's `model`"
        ),
        Place::Developer => format!(
            "check the experiment's `model` (now {model}); GOOGLE_GEMINI_BASE_URL, if it is set, ends before /v1beta"
        ),
    }
}
