package vpci

// configVector is the MSI-X vector for configuration changes.
const configVector = 0

// routeConfigInterrupt sets the vector for configuration changes, which a reset
// clears. A device that refuses it is polled instead (4.1.5.1.2).
func (d *Device) routeConfigInterrupt() error {
	in := d.interrupts
	if in.mode == byMSIX {
		if err := d.write16(regConfigVector, configVector); err != nil {
			return err
		}
		got, err := d.read16(regConfigVector)
		if err != nil {
			return err
		}
		if got != configVector {
			d.log.Warn("the device refuses an interrupt for configuration changes, it is polled instead",
				"function", d.Name(), "config_msix_vector", got)
			in.mode = byPolling
		}
	}
	if in.mode == byPolling && !in.polling {
		in.polling = true
		in.running.Go(d.poll)
	}
	return nil
}
