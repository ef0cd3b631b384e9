"""The commands, their output and exit statuses."""
import unittest
from harness import MachineTest

class Apply(MachineTest):
    def test_apply(self):
        result = self.apply()
        print(result.stdout)
        self.assert_registry()

if __name__ == "__main__":
    unittest.main()
