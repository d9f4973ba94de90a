//! What happens to a world while it runs: tokens are minted and rotated, and a role is edited.

use std::io;

use time::OffsetDateTime;

use super::World;
use super::servers;
use crate::issuer::Issuer;
use crate::scenario::{Key, Scenario};
use crate::secrets;
use crate::token::{self, Edits};
use crate::volume::{Layout, TokenVolume};

/// How old the first tokens are if the scenario does not say.
const FIVE_MINUTES: i64 = 5 * 60;

impl World {
    /// A token as the scenario describes it, but issued at this Unix time and living for so many
    /// seconds. It is a secret of this world from now on.
    #[must_use]
    pub fn mint(&self, issued: i64, lifetime: i64) -> String {
        let token = sign(&self.scenario, &self.signer, issued, lifetime);
        self.surroundings.keep_secret(secrets::of_token("minted web identity token", &token));
        token
    }

    /// Puts a token into the volume as the kubelet does it.
    ///
    /// # Errors
    /// If the scenario lays out no volume, or the file system refuses.
    pub fn rotate(&self, token: &str) -> io::Result<()> {
        rotate(self.volume.as_ref(), token)
    }

    /// Mints a token that is issued now and rotates it into the volume, as the kubelet does it when
    /// 80 % of a token's life are over.
    ///
    /// # Errors
    /// If the scenario lays out no volume, or the file system refuses.
    pub fn renew(&self) -> io::Result<String> {
        let token = self.mint(now(), lifetime(&self.scenario));
        self.rotate(&token)?;
        Ok(token)
    }

    /// The same for the pod's API token. The API takes no other from now on.
    ///
    /// # Errors
    /// If the scenario mounts no API token, or the file system refuses.
    pub fn renew_api_token(&self) -> io::Result<String> {
        let token = api_token(&self.scenario, &self.issuer);
        self.surroundings.keep_secret(secrets::of_token("renewed API token", &token));
        if let Some(kubernetes) = self.kubernetes() {
            kubernetes.set_token(&token);
        }
        rotate(self.api_volume.as_ref(), &token)?;
        Ok(token)
    }

    /// Takes over from another scenario what can change while a world runs: the role and the provider,
    /// the answers to AssumeRoleWithWebIdentity, what IAM tells an operator, and, where both have one, what the
    /// issuer publishes, and the API's service account and what it may not do.
    pub fn apply(&self, scenario: &Scenario) {
        let iam = servers::iam(scenario, &self.issuer);
        self.sts().edit(|known| (known.providers, known.roles) = (iam.providers, iam.roles));
        self.sts().script(servers::script(&scenario.sts.assume));
        self.tell_account(scenario);
        if let (Some(server), Some(described)) = (self.issuer_server(), &scenario.issuer) {
            server.publish(servers::documents(described, &self.issuer));
        }
        if let (Some(kubernetes), Some(described)) = (self.kubernetes(), &scenario.kubernetes) {
            kubernetes.set_service_account(servers::service_account(scenario, described).as_ref());
            kubernetes.set_denied(described.deny.clone());
        }
    }
}

fn rotate(volume: Option<&TokenVolume>, token: &str) -> io::Result<()> {
    let volume = volume.ok_or_else(|| io::Error::other("the scenario has no such volume"))?;
    volume.rotate(token.as_bytes())
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn lifetime(scenario: &Scenario) -> i64 {
    let described = &scenario.token;
    described.lifetime.map_or(described.kind.lifetime(), |span| span.0.whole_seconds())
}

/// Who signs the web identity tokens: the issuer, or somebody else in its name.
pub(super) fn signer(scenario: &Scenario, issuer: &Issuer) -> Issuer {
    match scenario.token.key {
        Key::Issuer => issuer.clone(),
        Key::Other => Issuer::with_unpublished_key(issuer.url()),
    }
}

/// The web identity token that a world begins with.
pub(super) fn first_token(scenario: &Scenario, signer: &Issuer) -> String {
    let ago = scenario.token.issued_ago.map_or(FIVE_MINUTES, |span| span.0.whole_seconds());
    sign(scenario, signer, now() - ago, lifetime(scenario))
}

fn sign(scenario: &Scenario, signer: &Issuer, issued: i64, lifetime: i64) -> String {
    let described = &scenario.token;
    let mut claims = described.kind.claims(signer.url(), issued, issued + lifetime);
    if scenario.file.kind == Layout::Huge {
        claims.insert("padding".to_owned(), "x".repeat(20_000).into());
    }
    let edits = Edits {
        claims: described.claims.clone(),
        remove: described.remove.clone(),
        header: described.header.clone(),
    };
    edits.sign(signer, claims)
}

/// The pod's ordinary API token.
pub(super) fn api_token(scenario: &Scenario, issuer: &Issuer) -> String {
    let kind = token::Kind::Api;
    let issued = now() - FIVE_MINUTES;
    let edits = Edits { claims: scenario.api_token.claims.clone(), ..Edits::default() };
    edits.sign(issuer, kind.claims(issuer.url(), issued, issued + kind.lifetime()))
}
