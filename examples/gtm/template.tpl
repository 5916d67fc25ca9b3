___INFO___

{
  "type": "TAG",
  "id": "cvt_temp_public_id",
  "version": 1,
  "securityGroups": [],
  "displayName": "Ringmatch",
  "categories": ["ATTRIBUTION", "ANALYTICS"],
  "brand": {
    "id": "brand_dummy",
    "displayName": ""
  },
  "description": "Shows each visitor their own phone number, so that calls are matched to visits. The script reads the visitor\u0027s consent itself and asks for nothing without it.",
  "containerContexts": ["WEB"]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "key",
    "displayName": "Tag key",
    "simpleValueType": true,
    "help": "As in the address of the script: tag.js?key\u003dtag_…",
    "valueHint": "tag_…",
    "valueValidators": [
      {
        "type": "REGEX",
        "args": ["tag_[0-9A-Za-z]+"],
        "errorMessage": "A tag key begins with tag_"
      }
    ]
  }
]


___SANDBOXED_JS_FOR_WEB_TEMPLATE___

const encodeUriComponent = require('encodeUriComponent');
const injectScript = require('injectScript');
const queryPermission = require('queryPermission');

// Your service. The permission of this template names the same address: change both.
const SCRIPT = 'https://calls.example.com/tag.js?key=';

const url = SCRIPT + encodeUriComponent(data.key);

if (queryPermission('inject_script', url)) {
  // The last argument: the script is loaded once, however often the tag fires.
  injectScript(url, data.gtmOnSuccess, data.gtmOnFailure, url);
} else {
  data.gtmOnFailure();
}


___WEB_PERMISSIONS___

[
  {
    "instance": {
      "key": {
        "publicId": "inject_script",
        "versionId": "1"
      },
      "param": [
        {
          "key": "urls",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 1,
                "string": "https://calls.example.com/tag.js?key\u003d*"
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  }
]


___TESTS___

scenarios:
- name: Injects the script with the key
  code: |-
    mock('injectScript', (url, onSuccess) => onSuccess());
    runCode({key: 'tag_abc', gtmOnSuccess: data => data});
    assertApi('injectScript').wasCalled();


___NOTES___

Fires best on Consent Initialization or Initialization, All Pages: the earlier it runs, the earlier the number stands.
