// The package has no types of its own.
declare module 'asl-validator' {
  /** Adds each state's query language to the definition. */
  function validate(definition: object): { isValid: boolean; errorsText: (separator?: string) => string }
  export default validate
}
