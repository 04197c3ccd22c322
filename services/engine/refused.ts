import type { Refusal } from '../../schemas/report.ts'

/** A source that cannot be read as a whole: its owner's to mend. It ends that source, not the batch. */
export class RefusedSource extends Error {
  override name = 'RefusedSource'
  readonly refusal: Refusal
  constructor(code: string, message: string) {
    super(message)
    this.refusal = { code, message }
  }
}
