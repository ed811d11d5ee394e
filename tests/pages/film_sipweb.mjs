import * as Sipweb from '../../web/dist/library/sipweb.js';
import { filmPhone } from './film_phone.mjs';

filmPhone(Sipweb);
