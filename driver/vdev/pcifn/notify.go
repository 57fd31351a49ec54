package pcifn

// notifyOff returns queue_notify_off of virtqueue q (4.1.4.4).
func (f *Function) notifyOff(q int) uint16 {
	switch {
	case f.cfg.NotifyOff != nil:
		return f.cfg.NotifyOff(q)
	case f.cfg.NotifyMultiplier == 0:
		return 0
	}
	return uint16(q)
}

// notifyData returns queue_notif_config_data of virtqueue q: a value that is not the
// number of a queue.
func notifyData(q int) uint16 { return 0xa5a5 ^ uint16(q) }

// writeDoorbell is a write to the notification structure s at off (4.1.5.2).
func (f *Function) writeDoorbell(s *structure, off uint64, width int, v uint32) {
	form := f.dev.DoorbellForm()
	q, found := f.doorbellQueue(s, off, v, form.ConfigData)
	switch {
	case !form.Live:
		if !f.dev.Dead() {
			f.dev.Violate("basic/init/7", q, "doorbell rung before DRIVER_OK")
		}
		return
	case form.Data && width != 4:
		f.dev.Violate("pci/notify/2", q, "doorbell of %d bytes with NOTIFICATION_DATA", width)
		return
	case !form.Data && width != 2:
		f.dev.Violate("pci/notify/1", q, "doorbell of %d bytes without NOTIFICATION_DATA", width)
		return
	case !found:
		f.dev.Violate("x/pci/notify-addr", -1, "doorbell at offset %d with value %#x belongs to no queue", off, v)
		return
	}
	want := uint16(q)
	if form.ConfigData {
		want = notifyData(q)
	}
	if uint16(v) != want {
		f.dev.Violate(valueRule(form.Data, form.ConfigData), q, "doorbell value %#x instead of %#x", uint16(v), want)
		return
	}
	f.dev.Notify(q, uint16(v>>16))
}

// doorbellQueue returns the queue of a doorbell: by its offset where each queue has
// its own, otherwise by its value.
func (f *Function) doorbellQueue(s *structure, off uint64, v uint32, configData bool) (q int, found bool) {
	switch {
	case s.mult != 0:
		q, found = int(off/s.mult), off%s.mult == 0
	case configData:
		q, found = int(notifyData(int(uint16(v)))), true
	default:
		q, found = int(uint16(v)), true
	}
	return q, found && q < f.dev.Queues()
}

func valueRule(data, configData bool) string {
	switch {
	case data && configData:
		return "pci/notify/6"
	case configData:
		return "pci/notify/5"
	case data:
		return "pci/notify/4"
	}
	return "pci/notify/3"
}
