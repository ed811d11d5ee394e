/**
 * What the classic script does last: `<script src="sipweb.global.js" data-alias="JsSIP">` gives the library that second name, so that
 * the scripts of a page after it go on as they are. In a worker there is no element that could ask.
 */
export const ALIAS = '{const alias=globalThis.document?.currentScript?.dataset.alias;if(alias)globalThis[alias]=Sipweb}';
