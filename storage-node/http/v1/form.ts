/** How a client of InfluxDB 1.x wants its answer. */
export interface AnswerForm {
  readonly contentType: 'application/json' | 'application/csv' | 'text/csv'
  /** Of JSON only. */
  readonly pretty: boolean
}

const known = new Map<string, AnswerForm['contentType']>([
  ['application/json', 'application/json'],
  ['application/*', 'application/json'],
  ['*/*', 'application/json'],
  ['application/csv', 'application/csv'],
  ['text/csv', 'text/csv'],
  ['text/*', 'text/csv'],
])

/** Of the forms that a client says it takes, the one it likes best; JSON where it asks for none that there is. */
export function answerForm(accept: string | undefined, query: URLSearchParams): AnswerForm {
  const wanted = (accept ?? '')
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
      const quality = parameters.find((parameter) => parameter.startsWith('q='))
      return { contentType: known.get(type), quality: quality === undefined ? 1 : Number(quality.slice(2)) }
    })
    .filter(({ contentType, quality }) => contentType !== undefined && quality > 0)
    .sort((a, b) => b.quality - a.quality)
  return {
    contentType: wanted[0]?.contentType ?? 'application/json',
    pretty: query.get('pretty') === 'true',
  }
}
