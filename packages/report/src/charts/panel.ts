/** Size of the plotting area of a panel in pixels. */
export const panelWidth = 250;
export const panelHeight = 190;
