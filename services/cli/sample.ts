import { join } from 'node:path'
import { MEMBER_NAME } from '../../test/generator/real-values.ts'
import { generateSales } from '../../test/generator/sales.ts'
import { writeZip } from '../../test/generator/zip.ts'

export const SAMPLE_DATABASE = 'deliverydatabase'

/** The question that the sample file answers, as people send it. */
export const SAMPLE_QUERY = `WITH metrics as (
    select
        country,
        order_date,
        total_revenue,
        row_number() over (partition by country order by total_revenue desc) as R
    from data_deliveryzone where country in ('Canada', 'United States of America')
)
SELECT
    country,
    order_date,
    total_revenue
FROM
    metrics
where R <=2
order by 3 desc;
`

/** A zip in the shape of the real sales file, one bad row and all. */
export async function writeSample(folder: string, onProgress: (text: string) => void): Promise<string> {
  const file = join(folder, '5000-Sales-Records.zip')
  const sales = generateSales({ likeReal: true })
  await writeZip(file, [{ name: MEMBER_NAME, stream: sales.stream }])
  const { rows, bad } = sales.summary()
  onProgress(`A zip like the real one: ${rows.toLocaleString('en')} rows, ${bad} of them bad`)
  return file
}
