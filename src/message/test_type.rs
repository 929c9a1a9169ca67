//! The two ways to pace the requests of a test.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How the requests of a test are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestType {
    /// Closed loop (as fast as the target responds) or fixed rate.
    Avalanche,
    /// Fixed interval between starts.
    Tsunami,
}

impl TestType {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            TestType::Avalanche => "AVALANCHE",
            TestType::Tsunami => "TSUNAMI",
        }
    }
}

impl std::str::FromStr for TestType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_uppercase().as_str() {
            "AVALANCHE" => Ok(TestType::Avalanche),
            "TSUNAMI" => Ok(TestType::Tsunami),
            _ => Err(format!("test_type {text:?}: use AVALANCHE or TSUNAMI")),
        }
    }
}

impl Serialize for TestType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TestType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.as_str().ok_or_else(|| D::Error::custom("test_type: use AVALANCHE or TSUNAMI"))?;
        text.parse().map_err(D::Error::custom)
    }
}
