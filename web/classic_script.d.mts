/** JavaScript that gives the classic script its second name. */
export const ALIAS: string;
