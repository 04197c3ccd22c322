import type { Readable } from 'node:stream'

/** Where a zip's bytes come from. What it throws that is no fault of the zip, `throwFailure` throws again. */
export interface ZipBytes {
  /**
   * @param ahead whether what follows is likely to be read next
   * @default true
   */
  read(start: number, length: number, ahead?: boolean): Promise<Buffer>
  stream(start: number, length: number): Readable
  throwFailure(): void
}
