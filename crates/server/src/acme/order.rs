//! One order: from the account to the certificate (RFC 8555 §7).

use instant_acme::{
    Account, AccountBuilder, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use net::IssuedCertificates;

use super::kept::Kept;
use super::{Acme, Proof};

/// RFC 8555 §6.7.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Gets a certificate for `domain`: its private key and its chain, PEM.
///
/// # Errors
/// What went wrong, for the log.
pub(super) async fn certificate(
    settings: &Acme,
    kept: &Kept,
    issued: &IssuedCertificates,
    domain: &str,
) -> Result<String, String> {
    let account = account(settings, kept).await?;
    let identifiers = [Identifier::Dns(domain.to_owned())];
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
        Ok(order) => order,
        Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
            kept.forget_account()?;
            return Err("the authority knows our account no more; the next try makes another one".to_owned());
        }
        Err(error) => return Err(told(&error)),
    };
    prove(&mut order, settings.proof, issued, domain).await?;
    let retries = RetryPolicy::default();
    match order.poll_ready(&retries).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(refusal(&mut order, settings.proof).await),
        Err(Error::Api(_)) => return Err(refusal(&mut order, settings.proof).await),
        Err(error) => return Err(told(&error)),
    }
    let key = order.finalize().await.map_err(|error| told(&error))?;
    let chain = order.poll_certificate(&retries).await.map_err(|error| told(&error))?;
    Ok(format!("{key}{chain}"))
}

/// Our account there, made if there is none.
async fn account(settings: &Acme, kept: &Kept) -> Result<Account, String> {
    if let Some(credentials) = kept.account() {
        let account = builder(settings)?.from_credentials(credentials).await;
        return account.map_err(|error| told(&error));
    }
    let contact: Vec<String> = settings.contact.iter().map(|mail| format!("mailto:{mail}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let created = builder(settings)?.create(&new, settings.directory.clone(), None).await;
    let (account, credentials) = created.map_err(|error| told(&error))?;
    kept.keep_account(&credentials)?;
    Ok(account)
}

fn builder(settings: &Acme) -> Result<AccountBuilder, String> {
    match &settings.authority {
        Some(file) => Account::builder_with_root(file),
        None => Account::builder(),
    }
    .map_err(|error| told(&error))
}

/// Puts the proof where the authority looks, and tells it to look.
async fn prove(
    order: &mut Order,
    proof: Proof,
    issued: &IssuedCertificates,
    domain: &str,
) -> Result<(), String> {
    let (kind, name) = match proof {
        Proof::Https => (ChallengeType::TlsAlpn01, "TLS-ALPN-01"),
        Proof::Http => (ChallengeType::Http01, "HTTP-01"),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| told(&error))?;
        // An authority may remember that it has seen a proof.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(kind.clone())
            .ok_or_else(|| format!("the authority takes no proof by {name}"))?;
        let authorization = challenge.key_authorization();
        issued.answer(&challenge.token, authorization.as_str());
        let digest = authorization.digest().as_ref().try_into();
        let digest = digest.map_err(|_| "the digest of the proof is not 32 octets long")?;
        issued.prove(domain, &digest).map_err(|error| error.to_string())?;
        challenge.set_ready().await.map_err(|error| told(&error))?;
    }
    Ok(())
}

/// Why the authority did not take the proof.
async fn refusal(order: &mut Order, proof: Proof) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            let port = if proof == Proof::Https { 443 } else { 80 };
            return format!("the authority did not find the proof on port {port}: {problem}");
        }
    }
    "the authority did not take the proof".to_owned()
}

/// An error with what it came from: the libraries below say "connect error" first.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
