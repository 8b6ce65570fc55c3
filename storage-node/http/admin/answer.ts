/** What an endpoint of the admin port answers. */
export interface AdminAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export const jsonAnswer = (status: number, value: object): AdminAnswer => ({
  status,
  contentType: 'application/json; charset=utf-8',
  body: JSON.stringify(value),
})
