//! Puts credentials on a request: an API key, or a token from application default credentials.
//!
//! `google-cloud-auth` signs, exchanges and refreshes (four minutes before a token ends); this module decides where
//! the credentials come from, makes them anew after a 401, and words the errors. It is the only one that sees a key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use google_cloud_auth::credentials::{
    CacheableResource, Credentials, external_account, impersonated, mds, service_account, user_account,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::access::{DefaultCredentials, Login};
use crate::secret::Secret;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// A metadata server answers within milliseconds where there is one.
const METADATA_DEADLINE: Duration = Duration::from_secs(5);
const TOKEN_DEADLINE: Duration = Duration::from_secs(30);

/// Why there is no token. What to do about it is said beside it, in [`crate::refusal`].
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// No source of credentials exists.
    #[error(
        "no Google credentials: GOOGLE_APPLICATION_CREDENTIALS is not set, {gcloud}, and no metadata server answered \
         ({cause})"
    )]
    NoCredentials {
        /// What became of gcloud's file.
        gcloud: String,
        /// What the metadata server did.
        cause: String,
    },
    /// The file cannot be read, or holds no credentials.
    #[error("cannot use the credentials file {} ({origin}): {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Who named it.
        origin: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// The credentials were not accepted, or who should accept them could not be reached.
    #[error("no access token with the credentials from {origin}: {cause}")]
    Token {
        /// Where the credentials come from.
        origin: String,
        /// What happened.
        cause: String,
        /// Whether another try may help.
        transient: bool,
    },
}

impl AuthError {
    /// Whether another try may help.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, AuthError::Token { transient: true, .. })
    }
}

/// Makes headers, and keeps what it needs for that. No `Debug` from here on: the token cache of `google-cloud-auth`
/// would print the last error of the token server, which may echo what was sent to it.
pub(crate) struct Authorizer {
    login: Login,
    session: Mutex<Session>,
}

/// Credentials are made on first use, since making them starts a task, and made anew after a 401.
#[derive(Default)]
struct Session {
    source: Option<Source>,
    generation: u64,
}

#[derive(Clone)]
struct Source {
    credentials: Credentials,
    origin: Origin,
    /// What an error of the token server could echo.
    secrets: Vec<Secret>,
    /// Whether a token ever came from it.
    proved: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Origin {
    File { path: PathBuf, named_by: &'static str },
    Metadata { gcloud: String },
}

/// Headers for one request, the secrets in them, and which generation of credentials made them.
#[derive(Default)]
pub(crate) struct Authorization {
    pub headers: HeaderMap,
    pub secrets: Vec<Secret>,
    pub generation: u64,
}

impl Authorizer {
    pub(crate) fn new(login: Login) -> Self {
        Authorizer { login, session: Mutex::default() }
    }

    pub(crate) async fn authorize(&self) -> Result<Authorization, AuthError> {
        match &self.login {
            Login::Nobody => Ok(Authorization::default()),
            Login::ApiKey(key) => {
                let mut headers = HeaderMap::new();
                // The key was checked to be plain ASCII when it was read, so that it always makes a header.
                if let Ok(mut value) = HeaderValue::from_str(key.expose()) {
                    value.set_sensitive(true);
                    headers.insert("x-goog-api-key", value);
                }
                Ok(Authorization { headers, secrets: vec![key.clone()], generation: 0 })
            }
            Login::Default(wanted) => self.token(wanted).await,
        }
    }

    /// Forgets the credentials that made a token which was refused, so that the next request makes new ones. Of many
    /// requests that were refused together only the first does so. Says whether new ones can be made at all.
    pub(crate) async fn renew(&self, refused: u64) -> bool {
        let mut session = self.session.lock().await;
        if session.generation == refused {
            session.source = None;
        }
        matches!(self.login, Login::Default(_))
    }

    async fn token(&self, wanted: &DefaultCredentials) -> Result<Authorization, AuthError> {
        let (source, generation) = {
            let mut session = self.session.lock().await;
            let source = match &session.source {
                Some(source) => source.clone(),
                None => {
                    let source = find(wanted).await?;
                    session.generation += 1;
                    session.source.insert(source).clone()
                }
            };
            (source, session.generation)
        };
        let deadline = match source.origin {
            Origin::Metadata { .. } => METADATA_DEADLINE,
            Origin::File { .. } => TOKEN_DEADLINE,
        };
        let headers = match tokio::time::timeout(deadline, source.credentials.headers(Default::default()))
            .await
        {
            Ok(Ok(CacheableResource::New { data, .. })) => data,
            Ok(Ok(CacheableResource::NotModified)) => {
                return Err(source.error("the token cache gave no token".to_owned(), true));
            }
            Ok(Err(error)) => return Err(source.error(plain(&chain(&error)), error.is_transient())),
            Err(_) => return Err(source.error(format!("no answer within {} s", deadline.as_secs()), true)),
        };
        source.proved.store(true, Ordering::Relaxed);
        let mut secrets = source.secrets;
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        secrets.extend(bearer.and_then(|value| value.strip_prefix("Bearer ")).map(Secret::new));
        Ok(Authorization { headers, secrets, generation })
    }
}

impl Source {
    fn error(&self, mut cause: String, transient: bool) -> AuthError {
        for secret in &self.secrets {
            secret.scrub(&mut cause);
        }
        match &self.origin {
            // A metadata server that never gave a token is most likely none at all.
            Origin::Metadata { gcloud } if !self.proved.load(Ordering::Relaxed) => {
                AuthError::NoCredentials { gcloud: gcloud.clone(), cause }
            }
            Origin::Metadata { .. } => {
                AuthError::Token { origin: "the metadata server".to_owned(), cause, transient }
            }
            Origin::File { path, named_by } => {
                AuthError::Token { origin: format!("{} ({named_by})", path.display()), cause, transient }
            }
        }
    }
}

async fn find(wanted: &DefaultCredentials) -> Result<Source, AuthError> {
    if let Some(path) = &wanted.variable {
        return from_file(path, "named by GOOGLE_APPLICATION_CREDENTIALS", wanted).await;
    }
    let gcloud = match &wanted.gcloud {
        Some(path) if path.exists() => return from_file(path, "written by gcloud", wanted).await,
        Some(path) => format!("{} does not exist", path.display()),
        None => "gcloud's folder is not known".to_owned(),
    };
    let builder = mds::Builder::default().with_scopes([SCOPE]);
    let builder = match &wanted.quota_project {
        Some(project) => builder.with_quota_project_id(project),
        None => builder,
    };
    let builder = match &wanted.metadata_host {
        Some(host) => builder.with_endpoint(format!("http://{host}")),
        None => builder,
    };
    match builder.build() {
        Ok(credentials) => Ok(Source {
            credentials,
            origin: Origin::Metadata { gcloud },
            secrets: Vec::new(),
            proved: Arc::default(),
        }),
        Err(error) => Err(AuthError::NoCredentials { gcloud, cause: error.to_string() }),
    }
}

async fn from_file(
    path: &Path,
    named_by: &'static str,
    wanted: &DefaultCredentials,
) -> Result<Source, AuthError> {
    let fault = |cause: String| AuthError::File { path: path.to_owned(), origin: named_by, cause };
    let text = tokio::fs::read_to_string(path).await.map_err(|error| fault(error.to_string()))?;
    // serde's message could quote a key, its line and column cannot.
    let file: Value = serde_json::from_str(&text).map_err(|error| {
        fault(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let mut secrets = Vec::new();
    collect_secrets(&file, &mut secrets);
    let kind = file.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let quota = wanted.quota_project.clone();
    // Each kind has a builder of its own, with the same three settings.
    macro_rules! build {
        ($builder:expr, $quota:expr) => {{
            let builder = $builder;
            match $quota {
                Some(project) => builder.with_quota_project_id(project).build(),
                None => builder.build(),
            }
        }};
    }
    let built = match kind.as_str() {
        "service_account" => build!(
            service_account::Builder::new(file)
                .with_access_specifier(service_account::AccessSpecifier::from_scopes([SCOPE])),
            quota
        ),
        "authorized_user" => {
            // A user's own project is not the one that pays unless it is named: without it the API answers 403.
            let named = file.get("quota_project_id").is_some_and(Value::is_string);
            let quota = quota.or_else(|| if named { None } else { wanted.project.clone() });
            build!(user_account::Builder::new(file).with_scopes([SCOPE]), quota)
        }
        "external_account" => build!(external_account::Builder::new(file).with_scopes([SCOPE]), quota),
        "impersonated_service_account" => {
            build!(impersonated::Builder::new(file).with_scopes([SCOPE]), quota)
        }
        "" => return Err(fault("it has no `type`; expected a key file, or what gcloud writes".to_owned())),
        other => return Err(fault(format!("its type {other:?} is not supported"))),
    };
    let origin = Origin::File { path: path.to_owned(), named_by };
    match built {
        Ok(credentials) => Ok(Source { credentials, origin, secrets, proved: Arc::default() }),
        Err(error) => {
            let mut cause = chain(&error);
            secrets.iter().for_each(|secret| secret.scrub(&mut cause));
            Err(fault(cause))
        }
    }
}

fn collect_secrets(value: &Value, found: &mut Vec<Secret>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text)
                        if ["private_key", "client_secret", "refresh_token", "access_token"]
                            .contains(&name.as_str()) =>
                    {
                        found.push(Secret::new(text.as_str()));
                    }
                    other => collect_secrets(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_secrets(item, found)),
        _ => {}
    }
}

/// Leaves out what `google-cloud-auth` says about its own retries: it is not what the person at the terminal can use.
fn plain(message: &str) -> String {
    let noise = [
        "Request to fetch the token failed. Subsequent calls with this credential will also fail.",
        "Fetching the token resulted in transient errors. Subsequent calls with this credential might succeed.",
        "and future attempts will not succeed",
        "but future attempts may succeed",
        "cannot create the authentication headers",
    ];
    let text = noise.iter().fold(message.to_owned(), |text, noise| text.replace(noise, ""));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" :", ":").replace(",:", ":");
    text.trim_matches([':', ' ', ',']).to_owned()
}

/// An error and its sources on one line, leaving out what a message repeats of its source.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}
