package traffic

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// MarshalJSON implements [json.Marshaler]: a list of headers, each with its name and its
// fields as a scenario has them.
func (l Layers) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, layer := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"` + layer.Kind() + `":{`)
		v := reflect.ValueOf(layer)
		for k := range v.NumField() {
			if k > 0 {
				b.WriteByte(',')
			}
			value, err := json.Marshal(v.Field(k).Interface())
			if err != nil {
				return nil, err
			}
			b.WriteString(`"` + v.Type().Field(k).Tag.Get("yaml") + `":`)
			b.Write(value)
		}
		b.WriteString("}}")
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}
