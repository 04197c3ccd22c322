/** What runs the Glue jobs. On AWS it is Spark; a laptop has the choice. Apart from config.ts, which loads the CDK. */
export const ENGINES = ['duckdb', 'spark'] as const
export type Engine = (typeof ENGINES)[number]
