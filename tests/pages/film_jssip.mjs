import JsSIP from 'jssip';
import { filmPhone } from './film_phone.mjs';

filmPhone(JsSIP);
