/** MB of each function on AWS, where it also buys CPU: 1769 MB is one whole core. */
export const MEMORY_MB = { unzip: 1769, convert: 1024, partition: 1024, catalog: 512, sweep: 1024 } as const
