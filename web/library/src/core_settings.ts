/** What the core is told of the parameters of a user agent. */

import type { Settings } from './configuration.js';
import type { CoreConfig, CoreSettings, ViaTransport } from './core.js';

/** All of them, for a new core. `socketUri` is the server's. */
export function coreConfig(settings: Settings, socketUri: string): CoreConfig {
  const trail = settings.register_from_tag_trail;
  return {
    ...credentials(settings),
    uri: settings.uri.toString(),
    contactUri: settings.contact_uri.toString(),
    viaHost: settings.via_host,
    instanceId: settings.instance_id,
    registrarServer: settings.registrar_server.toString(),
    registerExpires: settings.register_expires,
    registerFromTagTrail: typeof trail === 'function' ? trail() : trail,
    sessionTimers: settings.session_timers,
    sessionTimersRefreshMethod: settings.session_timers_refresh_method,
    sessionTimersForceRefresher: settings.session_timers_force_refresher,
    reliableProvisional: settings.extension_100rel,
    noAnswerTimeout: settings.no_answer_timeout / 1000,
    userAgent: settings.user_agent,
    flows: settings.flows,
    ...(settings.use_preloaded_route ? { preloadedRoute: `${socketUri};lr` } : {}),
  };
}

/** Those that may change while it runs. */
export function credentials(settings: Settings): CoreSettings {
  return {
    authorizationUser: settings.authorization_user,
    password: settings.password,
    ha1: settings.ha1,
    realm: settings.realm,
    authorizationJwt: settings.authorization_jwt,
    displayName: settings.display_name,
    extraHeaders: settings.extra_headers ?? [],
  };
}

/** The transport that Via names; what is unknown there is a WebSocket. */
export function viaTransport(token: string): ViaTransport {
  return ['WS', 'WSS', 'TCP', 'TLS', 'UDP'].includes(token) ? (token as ViaTransport) : 'WS';
}
