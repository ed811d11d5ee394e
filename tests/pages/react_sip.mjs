// An application over JsSIP that is not ours: react-sip, as it is published. What it imports as `jssip` is the bundler's choice.
import { createElement, createRef } from 'react';
import { createRoot } from 'react-dom/client';
import { SipProvider } from 'react-sip';

const provider = createRef();
const phone = (window.phone = { states: [] });

phone.start = (address, user, password) => {
  const { hostname, port, pathname } = new URL(address);
  const properties = { ref: provider, host: hostname, port: Number(port), pathname, user, password, autoAnswer: false };
  createRoot(document.getElementById('app')).render(createElement(SipProvider, properties));
};

/** What it shows to its users. */
phone.shows = () => {
  const { sipStatus, callStatus, callDirection, callCounterpart } = provider.current?.state ?? {};
  return [sipStatus, callStatus, callDirection, callCounterpart].filter(Boolean).join(' ');
};
phone.call = (target) => provider.current.startCall(target);
phone.answer = () => provider.current.answerCall();
phone.hangUp = () => provider.current.stopCall();
phone.connection = () => provider.current.state.rtcSession.connection;
