//! Adaptive softmax for many classes of unequal frequency (Grave et al., 2017), in K heads.
//!
//! Classes are numbered from the most to the least frequent. `cutoffs` divide them into a shortlist and clusters. A first
//! softmax chooses a class of the shortlist or a cluster; a second one, in the cluster, chooses the class:
//!
//! ```text
//! p(c) = p(c | shortlist and clusters)                       of a class of the shortlist
//! p(c) = p(cluster | shortlist and clusters) p(c | cluster)  of the others
//! ```
//!
//! The softmax of cluster i, counted from 1, is over a projection of the features to `H / 4^i` of them. In training, it is
//! computed only for the samples whose class is in the cluster, so rare classes cost little. Selecting these samples
//! synchronizes a GPU.

use tch::{Kind, Tensor};

use crate::Error;
use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// By what factor the features of a cluster are fewer than those of the previous one: `div_value` in PyTorch.
const REDUCTION: i64 = 4;

/// Where classes, ordered by frequency, are divided into a shortlist and clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutoffs {
    /// the first class of each cluster
    starts: Vec<i64>,
    classes: i64,
}

impl Cutoffs {
    /// Divides `classes` classes: the shortlist ends before the first cutoff, and each cluster before the next one.
    ///
    /// # Errors
    /// [`Error::Cutoffs`] unless there is a cutoff and they increase from at least 1 to less than `classes`.
    pub fn new(cutoffs: &[usize], classes: usize) -> Result<Self, Error> {
        let bounds = [0].iter().chain(cutoffs).chain([&classes]);
        if cutoffs.is_empty() || !bounds.is_sorted_by(|a, b| a < b) {
            return Err(Error::Cutoffs { cutoffs: cutoffs.to_vec(), classes });
        }
        Ok(Cutoffs { starts: cutoffs.iter().map(|cutoff| *cutoff as i64).collect(), classes: classes as i64 })
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> i64 {
        self.classes
    }

    /// Returns the number of outputs of the first softmax: the classes of the shortlist, and the clusters.
    pub fn root_outputs(&self) -> i64 {
        self.starts[0] + self.starts.len() as i64
    }

    /// Returns first class and size of each cluster.
    fn clusters(&self) -> impl Iterator<Item = (i64, i64)> {
        let ends = self.starts[1..].iter().chain([&self.classes]);
        self.starts.iter().zip(ends).map(|(start, end)| (*start, end - start))
    }
}

/// K heads.
#[derive(Clone, Debug)]
pub(crate) struct AdaptiveSoftmax {
    cutoffs: Cutoffs,
    /// `[K, R, H]`, where R is the number of [root outputs](Cutoffs::root_outputs)
    weight: ParameterId,
    /// `[K, R]`
    bias: ParameterId,
    clusters: Vec<Cluster>,
}

/// The softmax over a cluster.
#[derive(Clone, Debug)]
struct Cluster {
    start: i64,
    size: i64,
    /// `[K, H_i, H]`
    projection: ParameterId,
    /// `[K, size, H_i]`
    weight: ParameterId,
}

impl AdaptiveSoftmax {
    /// Adds the parameters of `k` heads, one unit each, to the builder.
    pub fn new(builder: &mut ParameterBuilder, k: i64, features: i64, cutoffs: Cutoffs) -> Self {
        let init = |inputs: i64| Init::Uniform((inputs as f64).powf(-0.5));
        let outputs = cutoffs.root_outputs();
        let weight = builder.add("weight", &[k, outputs, features], init(features));
        let bias = builder.add("bias", &[k, outputs], init(features));
        let mut of_head = vec![(weight, outputs * features), (bias, outputs)];
        let mut reduced = features;
        let mut clusters = Vec::new();
        for (i, (start, size)) in cutoffs.clusters().enumerate() {
            reduced = (reduced / REDUCTION).max(1);
            let projection = builder.add(&format!("clusters.{i}.projection"), &[k, reduced, features], init(features));
            let weight = builder.add(&format!("clusters.{i}.weight"), &[k, size, reduced], init(reduced));
            of_head.extend([(projection, reduced * features), (weight, size * reduced)]);
            clusters.push(Cluster { start, size, projection, weight });
        }
        builder.add_units(k, &of_head);
        AdaptiveSoftmax { cutoffs, weight, bias, clusters }
    }

    /// Returns the cutoffs.
    pub fn cutoffs(&self) -> &Cutoffs {
        &self.cutoffs
    }

    /// Computes `log p_j(c)` of every class, `[B, H] -> [K, B, A]`.
    pub fn log_probabilities(&self, weights: &Weights, z: &Tensor) -> Tensor {
        let z = z.unsqueeze(0).expand([weights[self.weight].size()[0], -1, -1], false);
        let root = self.root(weights, &z);
        let shortlist = self.clusters[0].start;
        let of_clusters = self.clusters.iter().zip(shortlist..).map(|(cluster, output)| {
            root.narrow(2, output, 1) + cluster.log_softmax(weights, &z) // [K, B, size]
        });
        Tensor::cat(&[root.narrow(2, 0, shortlist)].into_iter().chain(of_clusters).collect::<Vec<_>>(), 2)
    }

    /// Computes `log p_j` of each sample's class, `[K, B]`, from features, `[K, B, H]`, and classes, `[B]`.
    pub fn log_prob(&self, weights: &Weights, z: &Tensor, classes: &Tensor) -> Tensor {
        let shortlist = self.clusters[0].start;
        let mut output = classes.copy();
        let (mut in_clusters, mut unused) = (Vec::new(), Vec::new());
        for (cluster, number) in self.clusters.iter().zip(shortlist..) {
            let inside = classes.ge(cluster.start).logical_and(&classes.lt(cluster.start + cluster.size));
            let samples = inside.nonzero().squeeze_dim(1); // [B_i]
            let _ = output.masked_fill_(&inside, number);
            if samples.numel() > 0 {
                let log_p = cluster.log_softmax(weights, &z.index_select(1, &samples)); // [K, B_i, size]
                in_clusters.push((of_class(&log_p, &(classes.index_select(0, &samples) - cluster.start)), samples));
            } else {
                unused.push(cluster.zero_if_finite(weights));
            }
        }
        let of_root = of_class(&self.root(weights, z), &output);
        let log_p = unused.into_iter().fold(of_root, |sum, zero| sum + zero);
        in_clusters.into_iter().fold(log_p, |sum, (log_p, samples)| sum.index_add(1, &samples, &log_p))
    }

    /// Computes the first softmax, `[K, B, H] -> [K, B, R]`.
    fn root(&self, weights: &Weights, z: &Tensor) -> Tensor {
        weights[self.bias].unsqueeze(1).baddbmm(z, &weights[self.weight].transpose(1, 2), 1, 1).log_softmax(-1, None)
    }
}

impl Cluster {
    /// Computes `log p_j(c | cluster)`, `[K, B, H] -> [K, B, size]`.
    fn log_softmax(&self, weights: &Weights, z: &Tensor) -> Tensor {
        let projected = z.bmm(&weights[self.projection].transpose(1, 2));
        projected.bmm(&weights[self.weight].transpose(1, 2)).log_softmax(-1, None)
    }

    /// Returns 0 for each head whose parameters of the cluster are finite, `[K, 1]`. A head with others has no finite
    /// likelihood, whether or not a sample is in the cluster, so that it is skipped before all classes are computed.
    fn zero_if_finite(&self, weights: &Weights) -> Tensor {
        let sum = |id: ParameterId| weights[id].detach().sum_dim_intlist([1, 2].as_slice(), false, None::<Kind>);
        ((sum(self.projection) + sum(self.weight)) * 0.0).unsqueeze(1)
    }
}

/// Selects each sample's class, `[K, B, A]` and `[B] -> [K, B]`.
fn of_class(log_p: &Tensor, classes: &Tensor) -> Tensor {
    let classes = classes.view([1, -1, 1]).expand([log_p.size()[0], -1, 1], false);
    log_p.gather(2, &classes, false).squeeze_dim(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{Heads, Outputs};
    use crate::streams::stream;

    const FEATURES: i64 = 8;

    /// Returns 2 heads for 12 classes, a shortlist of 5 and clusters of 4 and 3, and the features of 6 samples.
    fn sample() -> (Heads, Tensor) {
        let outputs = Outputs::AdaptiveSoftmax(Cutoffs::new(&[5, 9], 12).unwrap());
        let heads = Heads::new(2, FEATURES, outputs, &mut stream(0, "weights"), tch::kind::DOUBLE_CPU).unwrap();
        (heads, (Tensor::arange(48, tch::kind::DOUBLE_CPU) * 0.7).sin().view([6, FEATURES]) * 3.0)
    }

    /// Computes the softmax of a matrix's products with a vector, and of a bias.
    fn softmax(matrix: &[Vec<f64>], bias: &[f64], x: &[f64]) -> Vec<f64> {
        let exp: Vec<f64> = matrix.iter().zip(bias).map(|(row, bias)| (dot(row, x) + bias).exp()).collect();
        exp.iter().map(|e| e / exp.iter().sum::<f64>()).collect()
    }

    fn dot(row: &[f64], x: &[f64]) -> f64 {
        row.iter().zip(x).map(|(a, b)| a * b).sum()
    }

    fn rows(matrix: &Tensor) -> Vec<Vec<f64>> {
        matrix.shallow_clone().try_into().unwrap()
    }

    #[test]
    fn probabilities_equal_the_definition_and_sum_to_one() {
        let (heads, z) = sample();
        let softmax_of_heads = heads.adaptive_softmax().unwrap();
        let weights = heads.parameters().weights();
        let found = heads.forward(&z).exp();
        assert_eq!(found.size(), [2, 6, 12]);
        for (j, (b, z)) in [0, 1].into_iter().flat_map(|j| (0..).zip(rows(&z)).map(move |sample| (j, sample))) {
            let bias = Vec::<f64>::try_from(weights[softmax_of_heads.bias].get(j)).unwrap();
            let root = softmax(&rows(&weights[softmax_of_heads.weight].get(j)), &bias, &z);
            assert_eq!(root.len(), 7);
            let mut expected = root[..5].to_vec();
            for (cluster, p) in softmax_of_heads.clusters.iter().zip(&root[5..]) {
                let projection = rows(&weights[cluster.projection].get(j));
                let z: Vec<f64> = projection.iter().map(|row| dot(row, &z)).collect();
                let matrix = rows(&weights[cluster.weight].get(j));
                expected.extend(softmax(&matrix, &vec![0.0; matrix.len()], &z).iter().map(|q| p * q));
            }
            let found = Vec::<f64>::try_from(found.get(j).get(b)).unwrap();
            assert!(found.iter().zip(&expected).all(|(p, q)| (p - q).abs() < 1e-12), "{found:?} {expected:?}");
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let projections = softmax_of_heads.clusters.iter().map(|cluster| weights[cluster.projection].size()[1]);
        assert_eq!(projections.collect::<Vec<_>>(), [2, 1], "8 / 4, and at least one");
    }

    #[test]
    fn a_class_has_the_probability_that_it_has_among_all() {
        let (heads, z) = sample();
        let softmax = heads.adaptive_softmax().unwrap();
        let by_head = z.unsqueeze(0).repeat([2, 1, 1]);
        let all = heads.forward(&z);
        for classes in [[0i64, 4, 5, 8, 9, 11], [1; 6], [10; 6]] {
            let classes = Tensor::from_slice(&classes);
            let found = softmax.log_prob(heads.parameters().weights(), &by_head, &classes);
            assert!((found - of_class(&all, &classes)).abs().max().double_value(&[]) < 1e-12);
        }
    }

    #[test]
    fn pruning_keeps_the_remaining_heads_parameters() {
        let (mut heads, z) = sample();
        let before = heads.forward(&z);
        let _ = heads.prune_to(1);
        assert_eq!(heads.forward(&z).get(0), before.get(1));
        assert!(heads.averaged(&Tensor::ones([1], tch::kind::DOUBLE_CPU), false).is_none());
    }

    #[test]
    fn a_head_with_a_non_finite_cluster_has_no_likelihood_even_if_no_class_is_in_it() {
        let (heads, z) = sample();
        let softmax = heads.adaptive_softmax().unwrap();
        let (by_head, weights) = (z.unsqueeze(0).repeat([2, 1, 1]), heads.parameters().weights());
        let log_p = || softmax.log_prob(weights, &by_head, &Tensor::from_slice(&[0i64, 1, 2, 3, 5, 6]));
        assert_eq!(log_p().isfinite().all().int64_value(&[]), 1);
        for parameter in [softmax.clusters[1].projection, softmax.clusters[1].weight] {
            let element = weights[parameter].get(1).get(0).get(0);
            let before = element.double_value(&[]);
            let _ = element.shallow_clone().fill_(f64::INFINITY);
            let log_p = log_p();
            assert_eq!(log_p.get(0).isfinite().all().int64_value(&[]), 1);
            assert_eq!(log_p.get(1).isfinite().any().int64_value(&[]), 0);
            let _ = element.shallow_clone().fill_(before);
        }
    }

    #[test]
    fn cutoffs_must_divide_the_classes() {
        for bad in [&[][..], &[0], &[10], &[11], &[3, 3], &[5, 3], &[3, 10]] {
            let error = Cutoffs::new(bad, 10).unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")) && error.to_string().contains("10 classes"));
        }
        assert_eq!(Cutoffs::new(&[1, 9], 10).unwrap().root_outputs(), 3);
    }
}
