import { expect, test } from 'vitest'
import { answerForm } from './form.ts'

test.each([
  [undefined, 'application/json'],
  ['application/x-msgpack', 'application/json'],
  ['application/csv', 'application/csv'],
  ['text/csv', 'text/csv'],
  ['text/html, text/csv', 'text/csv'],
  ['*/*, text/csv', 'application/json'],
  ['text/csv;q=0.5, application/json', 'application/json'],
  ['application/json;q=0.1, application/csv; q=0.9', 'application/csv'],
  ['text/csv;q=0', 'application/json'],
])('a client gets the form that it likes best, as InfluxDB 1.8 chooses: %s', (accept, contentType) => {
  expect(answerForm(accept, new URLSearchParams('pretty=true'))).toEqual({ contentType, pretty: true })
})
