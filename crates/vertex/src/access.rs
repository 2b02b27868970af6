//! Where requests go and as whom, read from the environment under the names that Google's own SDK reads.
//!
//! A pure function of a lookup: it touches neither the process's environment nor a file.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

use crate::request::Model;
use crate::secret::Secret;

/// Where requests go and as whom. It can only be made by [`Access::from_lookup`], which keeps credentials away from
/// loopback addresses and from unencrypted ones.
#[derive(Clone, Debug)]
pub struct Access {
    pub(crate) base: Url,
    pub(crate) place: Place,
    pub(crate) login: Login,
}

/// Which of the two services is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Vertex AI.
    Vertex {
        /// The project that pays; `None` in express mode, where an API key implies it.
        project: Option<String>,
        /// `global`, or a region.
        location: String,
    },
    /// The Gemini Developer API.
    Developer,
}

/// How requests are authorised.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// Not at all: the address is loopback.
    Nobody,
    ApiKey(Secret),
    Default(DefaultCredentials),
}

/// Where application default credentials may lie, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DefaultCredentials {
    /// `GOOGLE_APPLICATION_CREDENTIALS`.
    pub variable: Option<PathBuf>,
    /// Where `gcloud auth application-default login` writes.
    pub gcloud: Option<PathBuf>,
    /// `GCE_METADATA_HOST`, where the metadata server is not at its usual address.
    pub metadata_host: Option<String>,
    /// Who is billed, if it was set.
    pub quota_project: Option<String>,
    /// Who is billed for a user's credentials otherwise.
    pub project: Option<String>,
}

/// Settings that give no access. Each names the variable and where to set it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Nothing at all is set.
    #[error(
        "neither a project nor an API key is set: set GOOGLE_CLOUD_PROJECT for Vertex AI, or GEMINI_API_KEY for the \
         Gemini Developer API, in the environment or in .env"
    )]
    Nothing,
    /// Vertex AI without a project.
    #[error("Vertex AI needs a project: set GOOGLE_CLOUD_PROJECT in the environment or in .env")]
    NoProject,
    /// The Developer API without a key.
    #[error("the Gemini Developer API needs a key: set GEMINI_API_KEY in the environment or in .env")]
    NoKey,
    /// A value that cannot be used.
    #[error(
        "{variable}={value:?} cannot be used: expected {expected}; correct it in the environment or in .env"
    )]
    Malformed {
        /// Which variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A base URL that cannot be used. Its value is not shown, as it may hold a password.
    #[error("{variable} cannot be used: {fault}; correct it in the environment or in .env")]
    BaseUrl {
        /// Which variable.
        variable: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A key that cannot be sent. Its value is not shown.
    #[error("{variable} holds characters that no key has; correct it in the environment or in .env")]
    Key {
        /// Which variable.
        variable: &'static str,
    },
}

const VERTEX_BASE: &str = "GOOGLE_VERTEX_BASE_URL";
const GEMINI_BASE: &str = "GOOGLE_GEMINI_BASE_URL";
const PROJECT: &str = "GOOGLE_CLOUD_PROJECT";
const LOCATION: &str = "GOOGLE_CLOUD_LOCATION";

impl Access {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, AccessError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Decides from the variables that `lookup` knows; an empty value counts as unset.
    ///
    /// `GOOGLE_GENAI_USE_ENTERPRISE`, then `GOOGLE_GENAI_USE_VERTEXAI` choose the service. Without them a base URL
    /// does, so that a simulator's address never leads to the real service; then a project means Vertex AI, and a key
    /// alone the Developer API.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
        let get =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let (project, vertex_base, gemini_base) = (get(PROJECT), get(VERTEX_BASE), get(GEMINI_BASE));
        let key = ["GOOGLE_API_KEY", "GEMINI_API_KEY"].into_iter().find_map(|name| Some((name, get(name)?)));
        let vertex = match flag(&get)? {
            Some(chosen) => chosen,
            None => match (&vertex_base, &gemini_base) {
                (Some(_), None) => true,
                (None, Some(_)) => false,
                _ if project.is_some() => true,
                _ if key.is_some() => false,
                (Some(_), Some(_)) => true,
                (None, None) => return Err(AccessError::Nothing),
            },
        };
        if vertex {
            let location = get(LOCATION).unwrap_or_else(|| "global".to_owned());
            check(LOCATION, &location, "a location such as \"global\" or \"us-central1\"", |byte| {
                byte.is_ascii_alphanumeric() || byte == b'-'
            })?;
            if let Some(project) = &project {
                check(PROJECT, project, "a project's id or number", |byte| {
                    byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte)
                })?;
            }
            let base = match vertex_base {
                Some(url) => parse_base(VERTEX_BASE, &url)?,
                None => parse_base(LOCATION, &format!("https://{}", vertex_host(&location)))?,
            };
            vertex_access(base, project, location, key, &get)
        } else {
            let base = match gemini_base {
                Some(url) => parse_base(GEMINI_BASE, &url)?,
                None => parse_base(GEMINI_BASE, "https://generativelanguage.googleapis.com")?,
            };
            let login = match key {
                _ if is_loopback(&base) => Login::Nobody,
                Some((name, key)) => api_key(name, key)?,
                None => return Err(AccessError::NoKey),
            };
            Ok(Access { base, place: Place::Developer, login })
        }
    }

    /// Which service, project and location.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Scheme, host and port, for messages.
    pub fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether requests stay on this machine; then no credentials are sent.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    /// Where `verb` (`generateContent`, `countTokens`) of a model lives. It holds no credentials.
    pub fn url(&self, model: &Model, verb: &str) -> Url {
        let path = match &self.place {
            Place::Vertex { project: Some(project), location } => {
                format!("v1/projects/{project}/locations/{location}/publishers/google/models/{model}:{verb}")
            }
            Place::Vertex { project: None, .. } => format!("v1/publishers/google/models/{model}:{verb}"),
            Place::Developer => format!("v1beta/models/{model}:{verb}"),
        };
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Vertex { project: Some(project), location } => {
                write!(formatter, "Vertex AI, project {project}, location {location}, {}", self.address())
            }
            Place::Vertex { project: None, .. } => {
                write!(formatter, "Vertex AI, express mode, {}", self.address())
            }
            Place::Developer => write!(formatter, "the Gemini Developer API, {}", self.address()),
        }
    }
}

fn vertex_access(
    base: Url,
    project: Option<String>,
    location: String,
    key: Option<(&'static str, String)>,
    get: &impl Fn(&str) -> Option<String>,
) -> Result<Access, AccessError> {
    if is_loopback(&base) {
        // A simulator looks at no project, but the address has a place for one.
        let project = Some(project.unwrap_or_else(|| "simulated".to_owned()));
        return Ok(Access { base, place: Place::Vertex { project, location }, login: Login::Nobody });
    }
    let login = match (&project, key) {
        // The project wins over a key, as in Google's SDK.
        (Some(_), _) => Login::Default(DefaultCredentials {
            variable: get("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from),
            gcloud: gcloud_file(get),
            metadata_host: get("GCE_METADATA_HOST"),
            quota_project: get("GOOGLE_CLOUD_QUOTA_PROJECT"),
            project: project.clone(),
        }),
        (None, Some((name, key))) => api_key(name, key)?,
        (None, None) => return Err(AccessError::NoProject),
    };
    Ok(Access { base, place: Place::Vertex { project, location }, login })
}

fn flag(get: &impl Fn(&str) -> Option<String>) -> Result<Option<bool>, AccessError> {
    for variable in ["GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"] {
        let Some(value) = get(variable) else { continue };
        return match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(AccessError::Malformed { variable, value, expected: "true or false" }),
        };
    }
    Ok(None)
}

fn vertex_host(location: &str) -> String {
    match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

/// Where gcloud keeps the credentials of `gcloud auth application-default login`.
fn gcloud_file(get: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = match get("CLOUDSDK_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None if cfg!(windows) => PathBuf::from(get("APPDATA")?).join("gcloud"),
        None => PathBuf::from(get("HOME")?).join(".config").join("gcloud"),
    };
    Some(folder.join("application_default_credentials.json"))
}

fn api_key(variable: &'static str, key: String) -> Result<Login, AccessError> {
    if key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Login::ApiKey(Secret::new(key)))
    } else {
        Err(AccessError::Key { variable })
    }
}

fn check(
    variable: &'static str,
    value: &str,
    expected: &'static str,
    sound: impl Fn(u8) -> bool,
) -> Result<(), AccessError> {
    if value.bytes().all(sound) && value.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(AccessError::Malformed { variable, value: value.to_owned(), expected })
    }
}

fn parse_base(variable: &'static str, text: &str) -> Result<Url, AccessError> {
    let fault = |fault| AccessError::BaseUrl { variable, fault };
    let url = Url::parse(text).map_err(|_| {
        fault("it is not a URL; expected something like https://host or http://127.0.0.1:8080")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault("its scheme is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("it holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("it holds a query or a fragment"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(fault("credentials would travel unencrypted; use https, or a loopback address"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}
