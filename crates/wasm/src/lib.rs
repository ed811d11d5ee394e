//! The user agent for the browser: flat exports over the agent.
