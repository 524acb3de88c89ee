package twinmaker

// The component types that every workspace has. Of others that AWS offers, the
// endpoint knows only the names.
const (
	siteWiseType   = "com.amazon.iotsitewise.connector"
	alarmType      = "com.amazon.iottwinmaker.alarm.basic"
	documentsType  = "com.amazon.iottwinmaker.documents"
	parametersType = "com.amazon.iottwinmaker.parameters"
)

// builtIns makes the built-in types of a workspace.
func builtIns() []*componentType {
	text := &dataType{kind: "STRING"}
	texts := &dataType{kind: "MAP", nested: text}
	status := &dataType{kind: "STRING"}
	for _, s := range []string{"ACTIVE", "SNOOZE_DISABLED", "ACKNOWLEDGED", "NORMAL"} {
		status.allowed = append(status.allowed, value{"stringValue": &s})
	}
	native := func(required ...string) *function {
		return &function{scope: "ENTITY", native: true, required: required}
	}
	return []*componentType{
		{
			id: siteWiseType, description: "Connector for syncing SiteWise assets",
			definitions: map[string]*definition{
				"sitewiseAssetId":      {dataType: text, required: true, external: true},
				"sitewiseAssetModelId": {dataType: text, required: true, external: true},
			},
			functions: map[string]*function{
				"schemaInitializer":                    native("sitewiseAssetId", "sitewiseAssetModelId"),
				"dataReader":                           native("sitewiseAssetId", "sitewiseAssetModelId"),
				"attributePropertyValueReaderByEntity": native("sitewiseAssetId", "sitewiseAssetModelId"),
			},
		},
		{
			id: alarmType, description: "Abstract base of alarms",
			definitions: map[string]*definition{
				"alarm_key":    {dataType: text, required: true, external: true},
				"alarm_status": {dataType: status, timeSeries: true, storedExternally: true},
			},
		},
		{id: documentsType, description: "Documents", definitions: map[string]*definition{"documents": {dataType: texts}}},
		{id: parametersType, description: "Parameters", definitions: map[string]*definition{"parameters": {dataType: texts}}},
	}
}

// namedOnly are built-in types that exist in AWS and not here.
var namedOnly = map[string]bool{
	"com.amazon.iotsitewise.connector.edgevideo": true, "com.amazon.iotsitewise.alarm": true, "com.amazon.kvs.video": true,
	"com.amazon.athena.connector": true, "com.amazon.iottwinmaker.3d.scene": true, "com.amazon.iottwinmaker.3d.node": true,
	"com.amazon.iottwinmaker.3d.layer": true,
}
