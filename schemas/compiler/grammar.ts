/**
 * The ASCII grammars that decide what a value is, as regular expressions that must match the whole trimmed text,
 * in the syntax that RE2 and Java share. Every engine uses these; its own casts are no authority.
 */
export const INTEGER = '[+-]?[0-9]+'
export const DECIMAL = '[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)'
export const DOUBLE = '[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?'

/** Of texts in DECIMAL: those with no more integer digits than the type holds, leading zeros apart. */
export const decimalInRange = (precision: number, scale: number) => `[+-]?0*[0-9]{0,${precision - scale}}(?:\\.[0-9]*)?`

/** Of texts in DECIMAL: those that the type holds without losing a digit. Zeros beyond the scale are no loss. */
export const decimalFits = (precision: number, scale: number) =>
  `[+-]?0*[0-9]{0,${precision - scale}}(?:\\.[0-9]{0,${scale}}0*)?`
