package words

var occurred bool /* it occured */ // want `is misspelled: "occurred"`
