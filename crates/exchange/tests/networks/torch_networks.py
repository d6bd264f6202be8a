"""Networks of PyTorch for the tests: state dicts, inputs and answers in a folder.

`resnet18`, with torchvision's names and an eighth of its widths, and two plain networks, as a
person would write them.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

folder = Path(sys.argv[1])
images = torch.from_file(str(folder / "images.bin"), size=100 * 3 * 64 * 64).reshape(100, 3, 64, 64)
digits = torch.from_file(str(folder / "digits.bin"), size=100 * 64).reshape(100, 1, 8, 8)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for stage, factor in enumerate([1, 2, 4, 8], start=1):
            outputs = factor * width
            blocks = [Block(inputs, outputs, 1 if stage == 1 else 2), Block(outputs, outputs, 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            inputs = outputs
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def settle(network, inputs):
    """Norms that are not at their first values."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(inputs)
        for name, parameter in network.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def keep(name, network, inputs):
    network = settle(network, inputs)
    with torch.no_grad():
        answers = network(inputs)
    answers.numpy().tofile(folder / f"{name}.answer.bin")
    return network.state_dict()


torch.manual_seed(1)
state = keep("resnet18", ResNet18(8, 10), images)
torch.save(state, folder / "resnet18.pt")
torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, folder / "checkpoint.pth")
save_file(state, folder / "resnet18.safetensors")

mlp = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 10))
torch.save(keep("mlp", mlp, digits), folder / "mlp.pt")

cnn = nn.Sequential(
    nn.Conv2d(1, 5, 3, padding=1),
    nn.BatchNorm2d(5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(5, 9, 3, padding=1, bias=False),
    nn.BatchNorm2d(9),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(9, 10),
)
torch.save(keep("cnn", cnn, digits), folder / "cnn.pt")
torch.save(nn.LSTM(3, 4).state_dict(), folder / "lstm.pt")
