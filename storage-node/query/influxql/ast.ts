export interface Statement {
  readonly kind: string
}
