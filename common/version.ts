/** The one version of Holdfast: programs, images and chart carry the same. */
export const version = '0.1.0'
