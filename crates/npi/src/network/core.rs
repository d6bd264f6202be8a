//! The core: encoder, program memory, two-layer LSTM, heads (Reed and de Freitas, section 3.1).

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::codec::Codec;
use super::layers::{Before, LstmCell, linear};

/// Widths of a [`Core`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreConfig {
    /// Units of each of the two LSTM layers.
    pub hidden: usize,
    /// Units of the encoder and of what joins it with the program.
    pub encoder: usize,
    /// Numbers in a program's embedding.
    pub embedding: usize,
    /// Numbers in a program's key.
    pub key: usize,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            encoder: 64,
            embedding: 32,
            key: 32,
        }
    }
}

/// What a step of a call depends on besides its input: hidden values and cells of both layers,
/// `[b, h]` each; nothing at its begin.
#[derive(Debug, Clone)]
pub struct CoreState([Tensor<2>; 4]);

/// The network that decides.
///
/// Every part is a plain layer: the programs' embeddings are a linear layer of one-hot programs, and
/// their keys one of what the head asks for.
#[derive(Module, Debug)]
pub struct Core {
    /// Of arguments and observation.
    pub encoder1: Linear,
    /// Of the first encoder layer.
    pub encoder2: Linear,
    /// Embeddings of programs, `[programs, embedding]`.
    pub memory: Linear,
    /// Of encoded state and program.
    pub join1: Linear,
    /// Its output is what the LSTM reads.
    pub join2: Linear,
    /// The first LSTM layer.
    pub lower: LstmCell,
    /// The second one.
    pub upper: LstmCell,
    /// The logit of the end.
    pub end: Linear,
    /// What is asked of the keys.
    pub query: Linear,
    /// Keys of programs, `[key, programs]`.
    pub keys: Linear,
    /// Scores of the first argument.
    pub argument1: Linear,
    /// Of the second.
    pub argument2: Linear,
    /// Of the third.
    pub argument3: Linear,
}

impl Core {
    /// A core for the alphabet of `codec`; equal seeds give equal weights.
    pub fn new(codec: &Codec, config: CoreConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let CoreConfig {
            hidden,
            encoder,
            embedding,
            key,
        } = config;
        let programs = codec.programs();
        let seen = codec.inputs() - programs;
        let ones = codec.ones() - 1;
        let mut make =
            |shape, fan, before, bias| linear(shape, fan, before, bias, &mut rng, device);
        let encoder1 = make([seen, encoder], ones, Before::Relu, true);
        let encoder2 = make([encoder, encoder], encoder, Before::Relu, true);
        let memory = make([programs, embedding], 1, Before::Other, false);
        let joined = encoder + embedding;
        let join1 = make([joined, encoder], joined, Before::Relu, true);
        let join2 = make([encoder, encoder], encoder, Before::Other, true);
        let mut head = |outputs| make([hidden, outputs], hidden, Before::Other, true);
        let (end, query) = (head(1), head(key));
        let [argument1, argument2, argument3] = codec.arguments().map(head);
        let keys = make([key, programs], key, Before::Other, false);
        Self {
            encoder1,
            encoder2,
            memory,
            join1,
            join2,
            lower: LstmCell::new(encoder, hidden, &mut rng, device),
            upper: LstmCell::new(hidden, hidden, &mut rng, device),
            end,
            query,
            keys,
            argument1,
            argument2,
            argument3,
        }
    }

    /// Units of the two LSTM layers.
    pub fn widths(&self) -> [usize; 2] {
        [self.lower.width(), self.upper.width()]
    }

    /// What the LSTM reads of input rows `[…, inputs]`.
    pub fn encode<const D: usize>(&self, rows: Tensor<D>) -> Tensor<D> {
        let [programs, _] = self.memory.weight.dims();
        let rest = rows.dims()[D - 1] - programs;
        let program = self.memory.forward(rows.clone().narrow(D - 1, 0, programs));
        let state = relu(self.encoder1.forward(rows.narrow(D - 1, programs, rest)));
        let state = relu(self.encoder2.forward(state));
        let joined = Tensor::cat(vec![state, program], D - 1);
        self.join2.forward(relu(self.join1.forward(joined)))
    }

    /// The state before the first step of `batch` calls.
    pub fn begin(&self, batch: usize, like: &Tensor<2>) -> CoreState {
        let [lower, upper] = self.widths();
        CoreState(
            [lower, lower, upper, upper]
                .map(|width| Tensor::zeros([batch, width], (&like.device(), like.dtype()))),
        )
    }

    /// The state after a step on encoded rows `[b, encoder]`, and the hidden values that the heads
    /// read. The state's rows after the first b are calls that have ended.
    pub fn step(&self, encoded: Tensor<2>, state: CoreState) -> (CoreState, Tensor<2>) {
        let [batch, _] = encoded.dims();
        let [hidden1, cells1, hidden2, cells2] = state.0.map(|rows| match rows.dims()[0] {
            all if all > batch => rows.narrow(0, 0, batch),
            _ => rows,
        });
        let (hidden1, cells1) = self.lower.step(encoded, hidden1, cells1);
        let (hidden2, cells2) = self.upper.step(hidden1.clone(), hidden2, cells2);
        let read = hidden2.clone();
        (CoreState([hidden1, cells1, hidden2, cells2]), read)
    }

    /// Output rows `[…, outputs]` of hidden values `[…, h]`.
    pub fn heads<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let programs = self.keys.forward(self.query.forward(hidden.clone()));
        let heads = vec![
            self.end.forward(hidden.clone()),
            programs,
            self.argument1.forward(hidden.clone()),
            self.argument2.forward(hidden.clone()),
            self.argument3.forward(hidden),
        ];
        Tensor::cat(heads, D - 1)
    }

    /// Output rows `[n, outputs]` of packed input rows `[n, inputs]`: those of all first steps, then
    /// of all second ones, and so on; `sizes` has the number of calls at each step, which never
    /// grows.
    pub fn packed(&self, rows: Tensor<2>, sizes: &[usize]) -> Tensor<2> {
        let encoded = self.encode(rows);
        let mut state = self.begin(sizes.first().copied().unwrap_or(0), &encoded);
        let mut start = 0;
        let mut hidden = Vec::new();
        for &size in sizes {
            let (next, read) = self.step(encoded.clone().narrow(0, start, size), state);
            hidden.push(read);
            state = next;
            start += size;
        }
        self.heads(Tensor::cat(hidden, 0))
    }
}

impl Growable for Core {
    /// Padded calls, `[b, steps, inputs]`.
    type Input = Tensor<3>;
    /// A row for each call: the output rows of all its steps, `[b, steps · outputs]`.
    type Output = Tensor<2>;

    fn predict(&self, calls: Tensor<3>) -> Tensor<2> {
        let [batch, steps, _] = calls.dims();
        let mut state: Option<CoreState> = None;
        let mut outputs = Vec::new();
        for step in 0..steps {
            let rows = calls.clone().narrow(1, step, 1).squeeze_dim::<2>(1);
            let encoded = self.encode(rows);
            let before = state.unwrap_or_else(|| self.begin(batch, &encoded));
            let (next, read) = self.step(encoded, before);
            outputs.push(self.heads(read));
            state = Some(next);
        }
        Tensor::cat(outputs, 1)
    }
}
